"""One call of ``send`` for adapters that work it off side by side: its messages wait here for room."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from channels.base import HELD, Message, Outcome, Prepared, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from channels.base import Reporter

P = TypeVar("P", bound=Prepared)


class Errand(Generic[P]):
    """What of one call still waits, and how its outcomes are told."""

    def __init__(
        self,
        prepared: P,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool],
        unfit: Callable[[Message], str] = lambda _: "",
    ) -> None:
        """Begin with every message waiting; ``unfit`` says why one cannot be sent, or nothing."""
        self.prepared = prepared
        self.may_leave = may_leave
        self.waiting = collections.deque(messages)
        self._report = report
        self._unfit = unfit
        self._busy: set[asyncio.Task[Any] | None] = set()

    def take(self) -> Message | None:
        """Return the next message that can be sent; None where none is left."""
        while self.waiting:
            message = self.waiting.popleft()
            reason = self._unfit(message)
            if not reason:
                return message
            self.tell(message, Rejected(reason))
        return None

    def tell(self, message: Message | None, outcome: Outcome) -> None:
        """Report the outcome of a message, where there is one."""
        if message is not None:
            self._report([(message.delivery, outcome)])

    def hold(self, message: Message) -> None:
        """Give this message back and all that waits behind it."""
        held, self.waiting = [message, *self.waiting], collections.deque()
        self._report([(one.delivery, HELD) for one in held])

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Mark this task as one that may hold a message; the others wait for room."""
        task = asyncio.current_task()
        self._busy.add(task)
        try:
            yield
        finally:
            self._busy.discard(task)

    async def over(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Return when every message has been told."""
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in set(tasks) - self._busy:
                task.cancel()  # no message is left for the room that it waits for
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()
