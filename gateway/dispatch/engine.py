"""The worker's second thread: one event loop that owns the channel's sessions and outlives jobs."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import os
import secrets
import socket
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

import orjson
import structlog
import tenacity
import uvloop
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from channels.base import ChannelDown, ContentRefused, adapter
from gateway.dispatch.contents import thaw
from gateway.dispatch.limits import RateLimit
from gateway.dispatch.run import Doubt, Route, Run, Spoken, kept, speak
from gateway.ops.keys import confirm_key
from gateway.receipts.confirm import make_token
from gateway.receipts.ledger import Ledger
from gateway.store import dispatch as store
from gateway.store.database import AWAY, Database, heed

if TYPE_CHECKING:
    from collections.abc import Callable

    from channels.base import RouteSettings
    from gateway.settings import Settings
    from gateway.store.dispatch import Lease

log = structlog.get_logger(__name__)

AT_ONCE = 2
"""Batches under way in one worker: while one is being sent, the next is fetched."""
REMEMBERED_RELEASES = 8
"""Releases whose encoded texts a worker keeps."""
LATE_SECONDS = 5.0
"""A batch that is due for so long and was not rung for is taken all the same: Redis may be away."""
LOOK_SECONDS = 1.0
STOP_SECONDS = 0.2
"""How soon a worker that waits for room hears that it is to stop."""
REDIS_SECONDS = 1.0
"""How long the contract's rate is asked for; then the worker keeps to its own share."""
LONGEST_URGENT_PAUSE = 10.0
"""Seconds after which an urgent batch is tried again at the latest, however often it was refused."""
CLOSING_SECONDS = 20.0
"""How long a worker that was told to stop waits for the batches under way."""


class Engine:
    """Sends the batches of one queue; an async context manager that lives on one loop."""

    def __init__(self, settings: Settings, queue: str) -> None:
        """``queue`` is ``{channel}.{lane}``; the drill lane has the drill's own credentials."""
        self.settings = settings
        self.queue = queue
        self.channel_name, _, self.lane = queue.partition(".")
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._places = asyncio.Semaphore(AT_ONCE)
        self._runs: set[asyncio.Task[None]] = set()
        self._under_way: set[Run] = set()
        self._texts: collections.OrderedDict[int, dict[str, Spoken]] = collections.OrderedDict()
        self._stopping = False
        self._opened = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Open the database, the ledger and the channel's sessions."""
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database(str(self.settings.database_url)))
            ledger = await stack.enter_async_context(
                Ledger(database, interval=self.settings.dispatch.flush_ms / 1000)
            )
            redis = Redis.from_url(
                str(self.settings.redis_url),
                socket_timeout=REDIS_SECONDS,
                socket_connect_timeout=REDIS_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            stack.push_async_callback(redis.aclose)
            self.route = self._make_route(database, ledger, redis)
            stack.push_async_callback(self.route.limit.close)
            stack.push_async_callback(self.route.channel.close)
            self._opening = asyncio.create_task(self._open_channel(), name="open channel")
            self._looking = asyncio.create_task(self._look(), name="look for late batches")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop claiming, let what has left be answered, write everything, close the sessions."""
        self._stopping = True
        self._looking.cancel()
        for run in self._under_way:
            run.stopped = True
        if self._runs and self._opened.is_set():  # else none of them holds anything yet
            await asyncio.wait(self._runs, timeout=CLOSING_SECONDS)
        for task in (*self._runs, self._opening):
            task.cancel()
        await asyncio.gather(*self._runs, self._opening, self._looking, return_exceptions=True)
        await self._stack.aclose()

    def _make_route(self, database: Database, ledger: Ledger, redis: Redis) -> Route:
        configured = self.settings.channels[self.channel_name]
        mode = "drill" if self.lane == "drill" else "live"
        route: RouteSettings | None = configured.drill if mode == "drill" else configured.live
        if route is None:
            raise ChannelDown(f"channels.{self.channel_name}.{mode} is not set, so {self.queue} cannot work")
        workers = sum(
            count
            for queue, count in self.settings.worker_counts().items()
            if queue.startswith(f"{self.channel_name}.") and queue.endswith(".drill") == (mode == "drill")
        )
        return Route(
            channel=adapter(configured.kind)(route, ledger.sink(self.channel_name, mode=mode)),
            limit=RateLimit(
                redis,
                f"{self.channel_name}.{mode}",
                route.rate,
                workers=workers,
                urgent=self.lane == "urgent",
            ),
            window=route.window,
            doubt=Doubt(2 * route.window, ledger.hurry),
            database=database,
            ledger=ledger,
            confirm_link=self._link(),
            worker=self.name,
            lease_seconds=self.settings.dispatch.lease_seconds,
            longest_pause=min(self.settings.dispatch.retry_max_seconds, LONGEST_URGENT_PAUSE)
            if self.lane == "urgent"
            else self.settings.dispatch.retry_max_seconds,
        )

    def _link(self) -> Callable[[int], str]:
        key = confirm_key(self.settings)
        base = self.settings.web.base_url
        return lambda delivery: f"{base}/c/{make_token(delivery, key)}"

    async def _open_channel(self) -> None:
        async for trial in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Exception),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=5),
            before_sleep=self._tell_down,
        ):
            with trial:
                await self.route.channel.open()
        self._opened.set()

    def _tell_down(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        # Another error's own words may hold what must not be logged.
        words = str(error) if isinstance(error, ChannelDown) else type(error).__name__
        log.warning("channel is down; it is tried again", channel=self.channel_name, error=words)

    async def _look(self) -> None:
        """Take batches that nobody rang for, as long as there is room: the database is the truth."""
        await self._opened.wait()
        while True:
            heed()
            late = None
            if not self._places.locked():
                late = await self._late()
            if late is not None:
                log.info("batch taken without a bell", batch=late)
                await self.take(late)
            await asyncio.sleep(LOOK_SECONDS / 10 if late else LOOK_SECONDS)

    async def _late(self) -> int | None:
        try:
            async with self.route.database.raw() as connection:
                return await store.late(connection, self.channel_name, self.lane, LATE_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, the looking must not end
            log.warning("cannot look for late batches", error=type(error).__name__)
            return None

    async def take(self, batch: int) -> None:
        """Lease a batch and begin to send it; returns when there is room for another."""
        await self._places.acquire()
        task = asyncio.create_task(self._carry(batch), name=f"batch-{batch}")
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        task.add_done_callback(lambda _: self._places.release())

    async def _carry(self, batch: int) -> None:
        await self._opened.wait()
        try:
            async with self.route.database.raw() as connection:
                lease = await store.lease(
                    connection,
                    batch,
                    self.name,
                    self.route.lease_seconds,
                    channel=self.channel_name,
                    lane=self.lane,
                )
            if lease and not self._stopping:
                await self._send(lease)
        except AWAY as error:
            log.warning("batch left to the reconciler", batch=batch, error=type(error).__name__)
        except Exception:
            log.exception("batch failed; the reconciler opens it again", batch=batch)

    async def _send(self, lease: Lease) -> None:
        texts = await self._release_texts(lease)
        async with self.route.database.raw() as connection:
            rows = await store.rows(connection, lease.batch)
        run = Run(self.route, lease)
        self._under_way.add(run)
        try:
            async with kept(run):
                await run.send(rows, texts)
        finally:
            self._under_way.discard(run)
        async with self.route.database.raw() as connection:
            await store.finish(connection, lease, run.delay, run.unsure)

    async def _release_texts(self, lease: Lease) -> dict[str, Spoken]:
        if lease.release not in self._texts:
            async with self.route.database.raw() as connection:
                row = await store.texts(connection, lease.release)
            self._texts[lease.release] = self._encode(orjson.loads(row["texts"])[lease.channel])
            while len(self._texts) > REMEMBERED_RELEASES:
                self._texts.popitem(last=False)
        return self._texts[lease.release]

    def _encode(self, frozen: dict[str, dict[str, object]]) -> dict[str, Spoken]:
        texts = {}
        for key, content in frozen.items():
            try:
                texts[key] = speak(self.route.channel, thaw(content))
            except ContentRefused as error:
                log.warning(
                    "text refused by the channel", channel=self.channel_name, text=key, error=str(error)
                )
        return texts


class EngineThread:
    """An :class:`Engine` on a loop of its own, called from the thread that takes RQ's jobs."""

    def __init__(self, settings: Settings, queue: str) -> None:
        """Begin with the loop stopped."""
        self._settings = settings
        self._queue = queue
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="engine")

    def __enter__(self) -> Self:
        """Start the loop and wait until the engine is open; raises what kept it from opening."""
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the engine in order and end the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def take(self, batch: int, stopping: threading.Event) -> None:
        """Hand a batch over; blocks while the engine has no room, and gives up once we are to stop."""
        taking = asyncio.run_coroutine_threadsafe(self._engine.take(batch), self._loop)
        while not taking.done() and not stopping.is_set():
            concurrent.futures.wait([taking], STOP_SECONDS)
        if not taking.cancel():
            taking.result()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            async with Engine(self._settings, self._queue) as self._engine:
                self._ready.set()
                await self._stop.wait()
        except BaseException as error:
            self._failure = error
            if self._ready.is_set():
                raise
        finally:
            self._ready.set()
