"""From when to when a message holds (CAP 1.2, 3.2.1 sent, 3.2.2 effective, onset, expires)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.alerts.model import Info
    from gateway.alerts.rules.context import Context

CAP_BEGAN = datetime(2003, 1, 1, tzinfo=UTC)
FAR_AHEAD = timedelta(hours=1)
"""A clock may be wrong by minutes; a message from further ahead would win every comparison of ``sent``."""


def about_times(context: Context) -> None:
    """sent, and the validity of each info block for itself."""
    alert, now, found = context.alert, context.now, context.found
    if alert.sent < CAP_BEGAN:
        found.add("sent_implausible", "alert/sent")
    if now is not None and alert.sent - now > FAR_AHEAD:
        found.add("sent_far_in_future", "alert/sent")
    elif now is not None and alert.sent - now > context.source.skew:
        found.add("sent_in_future", "alert/sent")
    for path, info in context.infos():
        _about_block(context, path, info)


def _about_block(context: Context, path: str, info: Info) -> None:
    found, begins = context.found, info.effective or context.alert.sent
    if info.expires is None:
        _without_expires(context, path)
        return
    if info.expires < begins:
        found.add("expires_before_effective", f"{path}/expires")
    if info.expires - begins > context.source.horizon:
        message = f"expires lies more than {context.source.horizon.days} days after the beginning"
        found.add("expires_far", f"{path}/expires", message)
    if context.now is not None and info.expires <= context.now:
        found.add("expired", f"{path}/expires")


def _without_expires(context: Context, path: str) -> None:
    context.found.add("expires_missing", f"{path}/expires")
    if context.now is not None and context.now - context.alert.sent > context.source.max_age:
        context.found.add("too_old", f"{path}/expires")
