"""One Ctrl-C ends a command in good order, and a second one does not cut that short.

For commands that start servers only for themselves: what they started is stopped and removed
undisturbed, however impatient the hand.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any, Self, TypeVar

import uvloop

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import FrameType

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Minds SIGINT, SIGTERM and SIGHUP in its block; must be entered in the main thread.

    The first of them raises KeyboardInterrupt in the block, those that follow do nothing. One that
    is ignored already (``nohup``, a job in the background) stays ignored.
    """

    def __init__(self) -> None:
        """Mind nothing yet."""
        self._got: int | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._cancel: asyncio.Task[Any] | None = None

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells have it."""
        return 128 + (self._got or signal.SIGINT)

    def __enter__(self) -> Self:
        """Begin to mind the signals."""
        self._before = {which: signal.getsignal(which) for which in SIGNALS}
        for which in self._minded():
            signal.signal(which, self._end)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for which in self._minded():
            signal.signal(which, self._before[which])

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on a loop of its own; a signal cancels ``work``, which cleans up and so ends the rest.

        Raises:
            KeyboardInterrupt: a signal came.
        """

        async def inside() -> T:
            self._cancel = asyncio.current_task()
            if self._got:  # it came where Python cannot raise, in a destructor for example
                raise asyncio.CancelledError
            return await work

        try:
            return uvloop.run(inside())
        except asyncio.CancelledError:
            if self._got is None:
                raise
            raise KeyboardInterrupt from None
        finally:
            self._cancel = None
            work.close()

    def _minded(self) -> list[signal.Signals]:
        return [which for which, handler in self._before.items() if handler is not signal.SIG_IGN]

    def _end(self, number: int, _: FrameType | None) -> None:
        self._got = number
        for which in self._minded():
            signal.signal(which, signal.SIG_IGN)
        # Not through the streams: the signal may have come in the middle of a write.
        os.write(2, b"\nstopping ...\n")
        if self._cancel is None:
            raise KeyboardInterrupt
        self._cancel.get_loop().call_soon_threadsafe(self._cancel.cancel)
