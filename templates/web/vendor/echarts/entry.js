// What the console uses of ECharts: lines, bars, their axes and words. Built to echarts.min.js by
// `python -m gateway.ops.vendor_assets`; change this list and run that.
import { init, registerLocale, use } from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
import langZH from "echarts/i18n/langZH-obj.js";

use([BarChart, LineChart, AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, CanvasRenderer]);
registerLocale("ZH", langZH);

export { init };
