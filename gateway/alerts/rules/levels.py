"""Colours: green, unknown and impossible ones, and colours that contradict severity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.hazards import AWARENESS, is_green, level_of

if TYPE_CHECKING:
    from gateway.alerts.hazards import Hazards
    from gateway.alerts.model import Info
    from gateway.alerts.rules.context import Context


def about_levels(context: Context) -> None:
    """The colour of each info block."""
    for path, info in context.infos():
        if any(pair.value_name == AWARENESS and is_green(pair.value) for pair in info.parameters):
            context.found.add("awareness_green", f"{path}/parameter")
        if context.hazards is not None:
            _against_table(context, path, info, context.hazards)


def _against_table(context: Context, path: str, info: Info, hazards: Hazards) -> None:
    seen = level_of(info, hazards)
    if seen is None or seen.origin == "severity":
        return
    if seen.level is None:
        if seen.origin == "parameter":
            context.found.add("colour_unknown", f"{path}/parameter")
        return
    if hazards.severity_of(seen.level) != info.severity:
        message = f"the colour is {seen.level} but severity is {info.severity}"
        context.found.add("colour_severity_differ", f"{path}/severity", message)
    known = hazards.hazard_of(info)
    if known and seen.level not in known.hazard.colours:
        message = f"{known.hazard.en} has no {seen.level} warning"
        context.found.add("colour_not_allowed", f"{path}/parameter", message)
