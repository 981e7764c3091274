"""The sessions of one route: they share a queue, and each is connected again when it breaks."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from typing import TYPE_CHECKING

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from channels.base import HELD, ChannelDown, Retry
from channels.smpp.session import LOST, SmppSession

if TYPE_CHECKING:
    from channels.base import Sink
    from channels.smpp.job import Job
    from channels.smpp.settings import SmppSettings

RETRY_AFTER = 1.0
"""Seconds after which a message that met a broken line may be offered again."""

_log = structlog.get_logger("channels.smpp")


class SmppPool:
    """``settings.connections`` sessions and the sends that wait for room in their windows."""

    def __init__(self, settings: SmppSettings, sink: Sink) -> None:
        """Keep the route; :meth:`open` connects."""
        self._settings = settings
        self._sink = sink
        self._queue: deque[Job] = deque()
        self._sessions: list[SmppSession] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = False

    async def open(self) -> None:
        """Bind every connection, or raise :class:`ChannelDown` with none left open."""
        try:
            for _ in range(self._settings.connections):
                session = await self._connect()
                self._keepers.append(asyncio.create_task(self._keep(session)))
        except ChannelDown:
            await self.close()
            raise

    async def close(self) -> None:
        """Take nothing more, let open answers come in, unbind."""
        self._closing = True
        self._refuse_queue("closing")
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()
        await asyncio.gather(*(session.close() for session in list(self._sessions)))

    def hold_back(self) -> None:
        """Give up the sends that may not leave any more."""
        for job in [job for job in self._queue if not job.may_leave()]:
            self._queue.remove(job)
            job.refuse_rest(HELD)

    async def send(self, job: Job) -> None:
        """Queue the send and wait until all of it is reported; a cancelled one stops at the next write."""
        self._queue.append(job)
        if not self._sessions or self._closing:
            self._refuse_queue(LOST)
            # Whoever tries again at once must not keep the loop from connecting.
            await asyncio.sleep(0)
        for session in self._sessions:
            session.pump()
        try:
            await job.done
        except asyncio.CancelledError:
            if job in self._queue:
                self._queue.remove(job)
                if not job.may_leave():
                    job.refuse_rest(HELD)
            raise

    async def _connect(self) -> SmppSession:
        route, loop = self._settings, asyncio.get_running_loop()
        session = SmppSession(route, self._sink, self._queue, self._lost, self.hold_back)
        context = ssl.create_default_context() if route.tls else None
        where = f"{route.host}:{route.port}"
        try:
            async with asyncio.timeout(route.timeout):
                await loop.create_connection(lambda: session, route.host, route.port, ssl=context)
                await session.bind()
        except TimeoutError:
            session.abort()
            wait = f"{route.timeout:g} s"
            raise ChannelDown(f"{where} gave no answer within {wait}: check host and port") from None
        except (OSError, ValueError) as error:  # ValueError: no possible host name
            session.abort()
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ChannelDown(f"no connection to {where}: check host and port ({reason})") from None
        except BaseException:
            session.abort()
            raise
        self._sessions.append(session)
        session.pump()
        return session

    async def _keep(self, session: SmppSession) -> None:
        while True:
            await asyncio.wait([session.closed])
            # A peer that takes the bind and hangs up must not be called in a tight loop.
            await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - jitter
            async for attempt in AsyncRetrying(
                wait=wait_random_exponential(multiplier=0.2, max=5),
                retry=retry_if_exception_type(ChannelDown),
                before_sleep=_tell_down,
            ):
                with attempt:
                    session = await self._connect()
            _log.info("smpp_bound_again", host=self._settings.host)

    def _lost(self, session: SmppSession) -> None:
        if session in self._sessions:
            self._sessions.remove(session)
            if not self._closing:
                _log.warning("smpp_line_lost", host=self._settings.host, left=len(self._sessions))
        if not self._sessions:
            self._refuse_queue(LOST)

    def _refuse_queue(self, code: str) -> None:
        while self._queue:
            self._queue.popleft().refuse_rest(Retry(RETRY_AFTER, code))


def _tell_down(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("smpp_still_down", error=str(error), tries=state.attempt_number)
