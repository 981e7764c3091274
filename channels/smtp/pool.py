"""A pool of reused connections to one mail server.

aiosmtplib has no pool and waits for each answer, so speed comes from connections side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from channels.base import ChannelDown
from channels.smtp.connection import CLOSE_WAIT, Connection, Refused, tls_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from channels.smtp.settings import SmtpSettings

CONNECT_TRIES = 3
DOWN_FOR = 5.0
"""Seconds during which a server that could not be reached is not tried again."""
REST = 10.0
"""Seconds that a connection rests which the server refused while it serves others of ours."""


class Pool:
    """As many connections as the route's window allows; the one used last is used first."""

    def __init__(self, settings: SmtpSettings) -> None:
        """Build the TLS context; nothing is opened yet.

        Raises:
            ChannelDown: ``ca_file`` cannot be read.
        """
        self._settings = settings
        tls = tls_context(settings)
        self._all = [Connection(settings, tls) for _ in range(settings.window)]
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for connection in self._all:
            self._free.put_nowait(connection)
        self._down_until = 0.0
        self._down_text = ""
        self._rests: set[asyncio.TimerHandle] = set()
        self._busy = 0
        self._calm = asyncio.Event()
        self._closed = False

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a usable connection.

        Raises:
            ChannelDown: the server cannot be used at all.
        """
        connection = await self._take()
        self._busy += 1
        self._calm.clear()
        try:
            yield connection
        finally:
            self._busy -= 1
            self._free.put_nowait(connection)
            if not self._busy:
                self._calm.set()

    async def close(self) -> None:
        """Wait briefly for open answers, then end every connection."""
        self._closed = True
        if self._busy:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WAIT):
                    await self._calm.wait()
        for handle in self._rests:
            handle.cancel()
        self._rests.clear()
        await asyncio.gather(*(connection.close() for connection in self._all))
        await asyncio.sleep(0)

    async def _take(self) -> Connection:
        while True:
            if self._closed:
                raise ChannelDown("the mail route is closed")
            connection = await self._free.get()
            try:
                await self._make_ready(connection)
            except Refused as refused:
                if not self._some_live():
                    self._free.put_nowait(connection)
                    raise self._down(str(refused)) from None
                # The server holds fewer connections than we want: let this one rest and use the others.
                self._rest(connection)
            except BaseException:
                self._free.put_nowait(connection)
                raise
            else:
                return connection

    async def _make_ready(self, connection: Connection) -> None:
        if await connection.usable():
            return
        if asyncio.get_running_loop().time() < self._down_until:
            raise Refused(self._down_text)
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(CONNECT_TRIES),
            wait=wait_exponential_jitter(multiplier=0.2, max=2.0, jitter=0.3),
            retry=retry_if_exception(self._worth_repeating),
            reraise=True,
        ):
            with attempt:
                await connection.open()

    def _worth_repeating(self, failure: BaseException) -> bool:
        return isinstance(failure, Refused) and not failure.final and not self._some_live()

    def _some_live(self) -> bool:
        return any(connection.live for connection in self._all)

    def _down(self, text: str) -> ChannelDown:
        now = asyncio.get_running_loop().time()
        if now >= self._down_until:
            self._down_until, self._down_text = now + DOWN_FOR, text
        return ChannelDown(text)

    def _rest(self, connection: Connection) -> None:
        def back() -> None:
            self._rests.discard(handle)
            self._free.put_nowait(connection)

        handle = asyncio.get_running_loop().call_later(REST, back)
        self._rests.add(handle)


async def end_tasks(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel the tasks until they are over.

    Once is not enough: the library's ``wait_for`` loses a cancellation that comes together with
    an answer (CPython before 3.12).
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.1)
