"""What a reading says, as plain records: one for each alert or event, and one for the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.alerts.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.alerts.model import Alert
    from gateway.feeds.contract import Item, Reading, Solution

_GRAVEST_FIRST = tuple(Severity)


def gravest(alert: Alert) -> Severity | None:
    """Return the gravest severity of the info blocks; ``None`` without one."""
    return min((info.severity for info in alert.infos), key=_GRAVEST_FIRST.index, default=None)


def lines(file: str, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yield the records of ``tongda feed check`` for one document, called ``file``.

    Times are ISO 8601 with their offset. The document itself has a record where there is something to say
    of it, or where it holds neither alerts nor events.
    """
    head = {"file": file, "kind": reading.kind}
    yield from (head | _alert(item) for item in reading.items)
    yield from (head | _event(solution) for solution in reading.solutions)
    empty = not (reading.items or reading.solutions)
    if empty or reading.links or reading.findings:
        yield head | {"links": len(reading.links), "findings": reading.findings}


def _alert(item: Item) -> dict[str, Any]:
    alert = item.alert
    areas = [area for info in alert.infos for area in info.areas]
    return {
        "key": {"sender": alert.sender, "identifier": alert.identifier, "sent": alert.key.sent.isoformat()},
        "status": alert.status,
        "msgType": alert.msg_type,
        "severity": gravest(alert),
        "event": alert.infos[0].event if alert.infos else None,
        "sent": alert.sent.isoformat(),
        "expires": _iso(alert.expires),
        "areas": len(areas),
        "polygons": sum(len(area.polygons) for area in areas),
        "in_force": item.in_force,
        "findings": list(item.findings),
    }


def _event(solution: Solution) -> dict[str, Any]:
    return {
        "ids": list(solution.ids),
        "time": _iso(solution.time),
        "lat": solution.lat,
        "lon": solution.lon,
        "depth_km": solution.depth_km,
        "magnitude": solution.magnitude,
        "magnitude_type": solution.magnitude_type,
        "place": solution.place,
        "review": solution.review,
        "withdrawn": solution.withdrawn,
        "event_type": solution.event_type,
        "status": solution.status,
        "agency": solution.agency,
        "findings": list(solution.findings),
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
