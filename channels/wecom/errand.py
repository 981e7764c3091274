"""One call of ``send``: which of its messages still wait, and how their outcomes are told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from channels.base import HELD, Message, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    import aiohttp

    from channels.base import Reporter
    from channels.wecom.text import WecomText


class Held(Exception):
    """The message must not leave any more; none of its bytes was written."""


class Errand:
    """The messages of one call, a task for each."""

    def __init__(self, prepared: WecomText, report: Reporter, may_leave: Callable[[], bool]) -> None:
        """Begin with nothing waiting."""
        self.prepared = prepared
        self.may_leave = may_leave
        self.waiting: dict[asyncio.Task[Any] | None, Message] = {}
        self._report = report

    def go(self) -> None:
        """Note that the running task has waited long enough: it asks for itself whether it may leave."""
        self.waiting.pop(asyncio.current_task(), None)

    def tell(self, message: Message, outcome: Outcome) -> None:
        """Report the outcome of the running task's message."""
        self.go()
        self._report([(message.delivery, outcome)])

    def hold(self, message: Message) -> None:
        """Give this message back and all that still wait for their moment or for room."""
        waiting, self.waiting = self.waiting, {}
        for task in waiting:
            if task is not None:
                task.cancel()
        self._report([(one.delivery, HELD) for one in (message, *waiting.values())])


class Trip:
    """One request on its way; aiohttp hands it to :func:`leave` just before the first byte."""

    def __init__(self, may_leave: Callable[[], bool]) -> None:
        """Begin with nothing sent."""
        self.may_leave = may_leave
        self.sent = False


async def leave(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    """Let a request leave, or stop it: by then its connection stands, and nothing is awaited any more."""
    trip: Trip = context.trace_request_ctx
    if not trip.may_leave():
        raise Held
    trip.sent = True
