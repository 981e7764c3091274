// Charts: bars and lines on canvas by ECharts. Needs vendor/echarts/echarts.min.js; a table of the same
// numbers stands beside each chart and is the page's duty.
//
//   <div class="chart" data-label="..." data-chart='{"kind": "line", ...}'></div>
//
// line  {"kind": "line", "x": "minutes", "share": true, "series": [{"name": "...", "points": [[x, y], ...]}],
//        "marks": [{"x": 12.5, "name": "T90"}], "levels": [{"y": 0.9, "name": "90%"}]}
//       x counts in the unit that is named in "x"; with "share" y is 0 to 1 and shown in percent.
// bar   {"kind": "bar", "rows": ["SMS", ...], "series": [{"name": "Delivered", "values": [..], "token": "ok"}],
//        "stacked": true}
//
// "token" names a colour of console.css. data-chart is followed when a page changes it.
"use strict";

(() => {
  const PALETTE = ["go", "ok", "mind", "bad", "drill", "soft"];
  const ROW = 34;
  const charts = new WeakMap();
  const chinese = document.documentElement.lang.startsWith("zh");

  // A canvas takes no variables: a probe tells what a token is in the scheme of the moment.
  function teller(element) {
    const probe = document.createElement("span");
    probe.hidden = true;
    element.parentElement.append(probe);
    return {
      colour(token) {
        probe.style.color = `var(--${token})`;
        return getComputedStyle(probe).color;
      },
      end() { probe.remove(); },
    };
  }

  const percent = (share) => `${Math.floor(share * 1000) / 10}%`;
  const number = (value) => value.toLocaleString("en");

  function common(told, series, font) {
    const ink = told.colour("ink");
    return {
      animation: false,
      color: series.map(({ token }, place) => told.colour(token ?? PALETTE[place % PALETTE.length])),
      textStyle: { fontFamily: font, color: ink },
      legend: { show: series.length > 1, top: 0, left: 0, textStyle: { color: ink, fontFamily: font } },
      grid: { left: 8, right: 24, top: series.length > 1 ? 34 : 16, bottom: 8, containLabel: true },
      // An HTML tip would bring inline styles, which the page refuses.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: told.colour("card"),
        borderColor: told.colour("line"), textStyle: { color: ink, fontFamily: font } },
    };
  }

  function axis(told, more) {
    const soft = told.colour("soft");
    return { axisLabel: { color: soft }, axisLine: { lineStyle: { color: soft } },
      splitLine: { lineStyle: { color: told.colour("line") } }, nameTextStyle: { color: soft }, ...more };
  }

  function line(chart, told, font) {
    const say = chart.share ? percent : number;
    const ink = told.colour("ink");
    const marks = [...(chart.marks ?? []).map(({ x, name }) => ({ xAxis: x, name })),
      ...(chart.levels ?? []).map(({ y, name }) => ({ yAxis: y, name }))];
    const markLine = { symbol: "none", silent: true, data: marks, lineStyle: { color: ink, type: "dashed" },
      label: { formatter: "{b}", color: ink, fontFamily: font } };
    const y = axis(told, { type: "value", min: 0, ...(chart.share ? { max: 1 } : { minInterval: 1 }) });
    y.axisLabel = { ...y.axisLabel, formatter: say };
    const all = common(told, chart.series, font);
    return {
      ...all, tooltip: { ...all.tooltip, valueFormatter: (value) => (value == null ? "–" : say(value)) },
      grid: { ...all.grid, bottom: chart.x ? 26 : 8, top: 34 },
      xAxis: axis(told, { type: "value", name: chart.x ?? "", nameLocation: "middle", nameGap: 28, min: 0, splitLine: { show: false } }),
      yAxis: y,
      series: chart.series.map(({ name, points }, place) => ({
        type: "line", name, data: points, showSymbol: points.length < 2, step: "end", lineStyle: { width: 2.5 },
        ...(place === 0 && marks.length ? { markLine } : {}),
      })),
    };
  }

  function bar(chart, told, font) {
    return {
      ...common(told, chart.series, font),
      xAxis: axis(told, { type: "value", minInterval: 1 }),
      yAxis: axis(told, { type: "category", data: chart.rows, inverse: true, splitLine: { show: false } }),
      series: chart.series.map(({ name, values }) => ({
        type: "bar", name, data: values, barMaxWidth: 22, stack: chart.stacked ? "all" : undefined,
        label: { show: !chart.stacked, position: "right", color: told.colour("ink"), fontFamily: font,
          formatter: ({ value }) => number(value) },
      })),
    };
  }

  function read(element) {
    try {
      return JSON.parse(element.dataset.chart);
    } catch {
      return null;
    }
  }

  function draw(element) {
    const chart = read(element);
    if (!chart?.series?.length) return;
    if (chart.kind === "bar") {
      const rows = chart.rows.length * (chart.stacked ? 1 : chart.series.length);
      element.style.height = `${Math.max(120, 60 + ROW * rows)}px`;
    }
    const drawn = charts.get(element) ?? echarts.init(element, null, { renderer: "canvas", locale: chinese ? "ZH" : "EN" });
    charts.set(element, drawn);
    const told = teller(element);
    const font = getComputedStyle(element).fontFamily;
    const option = (chart.kind === "bar" ? bar : line)(chart, told, font);
    const label = element.dataset.label;
    option.aria = { enabled: true, ...(label ? { label: { description: label } } : {}) };
    drawn.setOption(option, { notMerge: true });
    drawn.resize();
    element.setAttribute("role", "img");
    told.end();
    element.dataset.ready = "1";
  }

  function start(element) {
    draw(element);
    new MutationObserver(() => draw(element)).observe(element, { attributeFilter: ["data-chart", "data-label"] });
    new ResizeObserver(() => charts.get(element)?.resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(element));
  }

  const started = new WeakSet();

  function startAll() {
    for (const element of document.querySelectorAll("[data-chart]")) {
      if (started.has(element)) continue;
      started.add(element);
      start(element);
    }
  }

  // Letters on a canvas stay as they were drawn: the page's font must be there before.
  document.fonts.ready.then(startAll);
  document.addEventListener("htmx:after:swap", startAll);
})();
