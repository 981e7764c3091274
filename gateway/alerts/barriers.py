"""What keeps an alert from being sent to people, whatever anybody approves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.hazards import AWARENESS, is_green
from gateway.alerts.model import MsgType, Scope, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.alerts.model import Alert

_FOR_PEOPLE = (MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL)


def barriers(alert: Alert, *, now: datetime, drill: bool = False) -> list[str]:
    """Sentences that say why the alert may not leave the desk; empty where it may.

    Args:
        alert: The message.
        now: The present.
        drill: Whether the release is a drill: then Exercise and Test pass, and Actual does not.
    """
    return [*_about_mode(alert, drill), *_about_content(alert, now)]


def _about_mode(alert: Alert, drill: bool) -> Iterator[str]:
    allowed = (Status.EXERCISE, Status.TEST) if drill else (Status.ACTUAL,)
    if alert.status not in allowed:
        kind = "a drill" if drill else "a live release"
        yield f"status is {alert.status}; {kind} takes {' or '.join(allowed)} only"
    if alert.scope != Scope.PUBLIC:
        yield f"scope is {alert.scope}; only Public may enter a public channel"
    if alert.msg_type not in _FOR_PEOPLE:
        yield f"msgType is {alert.msg_type}, which is for machines"


def _about_content(alert: Alert, now: datetime) -> Iterator[str]:
    if not alert.infos:
        yield "there is no info block, so nothing to say"
        return
    if all(info.expires is not None and info.expires <= now for info in alert.infos):
        yield "its validity is over; set a later expires in an Update"
    if any(area.unusable_polygons or area.unusable_circles for info in alert.infos for area in info.areas):
        yield "an area has a shape that cannot be used; draw it again"
    parameters = [pair for info in alert.infos for pair in info.parameters]
    levels = [pair.value for pair in parameters if pair.value_name == AWARENESS]
    if levels and all(map(is_green, levels)):
        yield "its awareness level is green: no warning is in force"
