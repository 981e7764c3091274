"""What the index and webhooks tell of an alert, so that nobody must read the whole to choose. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.alerts.language import tag_of
from gateway.alerts.times import write_time

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.alerts.model import Alert, Info


def summary_of(alert: Alert) -> dict[str, Any]:
    """Return the facts of an alert, its words in the language of its first info block."""
    info = alert.infos[0] if alert.infos else None
    return {
        "identifier": alert.identifier,
        "sender": alert.sender,
        "sent": write_time(alert.sent),
        "status": str(alert.status),
        "msgType": str(alert.msg_type),
        "scope": str(alert.scope),
        "references": [f"{one.sender},{one.identifier},{write_time(one.sent)}" for one in alert.references],
        "expires": _written(alert.expires),
        "areas": list(dict.fromkeys(area.area_desc for one in alert.infos for area in one.areas)),
        **(_of_info(info) if info else {}),
    }


def _of_info(info: Info) -> dict[str, Any]:
    return {
        "language": tag_of(info),
        "category": [str(one) for one in info.categories],
        "event": info.event,
        "headline": info.headline or info.event,
        "description": info.description,
        "urgency": str(info.urgency),
        "severity": str(info.severity),
        "certainty": str(info.certainty),
        "effective": _written(info.effective),
        "onset": _written(info.onset),
        "senderName": info.sender_name,
    }


def _written(time: datetime | None) -> str | None:
    return write_time(time) if time else None
