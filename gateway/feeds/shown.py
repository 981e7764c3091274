"""How the sources are, as JSON values and as ages for people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import tzinfo

    from gateway.feeds.health import Health, Overview

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_HIDDEN = ("source", "token", "digest")
_TROUBLES_SHOWN = 20


def as_json(seen: Overview) -> dict[str, Any]:
    """Return everything as JSON values: times in the offset of ``seen.at``, 20 troubles of each."""
    sources = [_source(one, seen.at) for one in seen.sources]
    told: dict[str, Any] = _told({"at": seen.at, "reader": seen.reader, "sources": sources}, seen.at.tzinfo)
    return told


def _told(value: Any, zone: tzinfo | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value with its times in a zone, to the second."""
    if isinstance(value, datetime):
        return value.astimezone(zone).replace(microsecond=0)
    if isinstance(value, dict):
        return {name: _told(one, zone) for name, one in value.items()}
    return [_told(one, zone) for one in value] if isinstance(value, list) else value


def _source(one: Health, at: datetime) -> dict[str, Any]:
    state = asdict(one.state) if one.state else {}
    return {
        "name": one.name,
        "kind": one.kind,
        "turned_off": {"by": one.off.by, "at": one.off.at, "reason": one.off.reason} if one.off else None,
        **{name: value for name, value in state.items() if name not in _HIDDEN},
        "good_age_seconds": seconds(one.state.good_at if one.state else None, at),
        "failing_links": one.failing_links,
        "connections": [_without_source(host._asdict()) for host in one.connections],
        "alarms": [alarm._asdict() for alarm in one.alarms],
        "troubles": [_without_source(trouble._asdict()) for trouble in one.troubles[:_TROUBLES_SHOWN]],
    }


def _without_source(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "source"}


def moment(at: datetime | None, zone: tzinfo | None) -> str:
    """Return a time in a zone, for people: ``2026-07-01 10:00+08:00``."""
    return at.astimezone(zone).isoformat(" ", "minutes") if at else "no time"


def seconds(then: datetime | None, at: datetime) -> float | None:
    """Return how long ago something was; None where it never was."""
    return max((at - then).total_seconds(), 0.0) if then else None


def age(then: datetime | None, at: datetime) -> str:
    """Return how long ago something was, for people: ``40 s``, ``3 min``, ``2 h``, ``5 d`` or ``never``."""
    ago = seconds(then, at)
    if ago is None:
        return "never"
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if ago >= length:
            return f"{int(ago // length)} {unit}"
    return f"{int(ago)} s"
