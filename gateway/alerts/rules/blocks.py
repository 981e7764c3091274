"""Info blocks: whether there are any, whether they agree, and what each says that cannot be meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.language import tag_of
from gateway.alerts.model import MsgType, ResponseType, Scope, Status, Urgency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Alert, Info
    from gateway.alerts.rules.context import Context

_ANSWERING = (MsgType.ACK, MsgType.ERROR)


def about_blocks(context: Context) -> None:
    """The info blocks, together and each by itself."""
    alert = context.alert
    if not alert.infos and alert.msg_type not in _ANSWERING and alert.status != Status.SYSTEM:
        context.found.add("no_info", "alert")
    _about_agreement(context)
    _about_sequences(context)
    for path, info in context.infos():
        for code, name in _about_block(alert, info):
            context.found.add(code, f"{path}/{name}")


def _about_agreement(context: Context) -> None:
    # Sets of the first block are made once: made for each block they would cost by the square of the file.
    first = next(iter(context.alert.infos), None)
    categories = set(first.categories if first else ())
    codes = set(first.event_codes if first else ())
    for path, info in context.infos():
        if set(info.categories) != categories:
            context.found.add("category_differs", f"{path}/category")
        if set(info.event_codes) != codes:
            context.found.add("event_code_differs", f"{path}/eventCode")


def _about_sequences(context: Context) -> None:
    # CAP 1.2, 3.2.2: blocks of one language are one sequence; a later one may extend but not override.
    events: dict[object, object] = {}
    levels: dict[object, object] = {}
    for path, info in context.infos():
        tag = tag_of(info)
        if events.setdefault(tag, info.event) != info.event:
            context.found.add("event_differs", f"{path}/event")
        level = (info.urgency, info.severity, info.certainty)
        if levels.setdefault((tag, info.areas), level) != level:
            context.found.add("block_overrides", path)


def _about_block(alert: Alert, info: Info) -> Iterator[tuple[str, str]]:
    if ResponseType.ASSESS in info.response_types and alert.scope == Scope.PUBLIC:
        yield "assess_in_public", "responseType"
    if ResponseType.ALL_CLEAR in info.response_types and not _may_clear(alert, info):
        yield "all_clear_odd", "responseType"
    event = info.event.lower()
    if event and any(pair.value_name.lower() == event for pair in info.event_codes):
        yield "event_code_named_as_event", "eventCode"


def _may_clear(alert: Alert, info: Info) -> bool:
    over = alert.msg_type == MsgType.UPDATE and info.urgency == Urgency.PAST
    return over or alert.msg_type == MsgType.CANCEL
