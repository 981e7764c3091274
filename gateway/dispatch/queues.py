"""RQ, the doorbell: the only module that knows it.

A queue is ``{channel}.{lane}``; a job carries one batch id. RQ's payload names a function, and
RQ would call any function so named, so jobs here may call :func:`send_batch` with one number
and nothing else: no pickle, no callbacks, no webhooks, no other arguments. What is not of that
shape is taken off the queue and logged, never run. RQ's own retry and recovery stay unused:
a doorbell that is lost is rung again by the reconciler.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

    from redis.asyncio import Redis as AsyncRedis

log = structlog.get_logger(__name__)

FUNCTION = f"{__name__}.send_batch"
NO_LIMIT = -1
"""A job waits until the engine has room, which on a slow channel takes as long as a batch."""
FAILURE_SECONDS = 86_400
REST_SECONDS = 1.0
LOOK_SECONDS = 0.05
SILENCE_SECONDS = 5.0
"""A server that says nothing for so long is away: no sweep may wait for it. RQ's worker raises it."""


class Doorbells:
    """Rings workers for batches."""

    def __init__(self, redis_url: str) -> None:
        """Connect lazily; every call may raise RedisError."""
        self._redis = connect(redis_url)

    def ring(self, queue: str, batches: Iterable[int], *, first: bool = False) -> None:
        """Enqueue batches, in order; ``first`` puts them before everything that waits."""
        target = _queue(queue, self._redis)
        if first:
            for batch in reversed(list(batches)):
                target.enqueue_call(
                    FUNCTION, args=(batch,), timeout=NO_LIMIT, result_ttl=0,
                    failure_ttl=FAILURE_SECONDS, job_id=_job_id(batch), at_front=True,
                )  # fmt: skip
            return
        target.enqueue_many([_data(batch) for batch in batches])

    def waiting(self, queue: str) -> set[int]:
        """Return the batches that wait in a queue."""
        return {batch for job in _queue(queue, self._redis).job_ids if (batch := _batch(job))}

    async def attended(self, queue: str, workers: int = 1) -> None:
        """Wait until so many workers take from a queue."""
        waiting = _queue(queue, self._redis)
        while await asyncio.to_thread(BatchWorker.count, queue=waiting) < workers:  # noqa: ASYNC110 - RQ tells nobody
            await asyncio.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()


class Attendance(NamedTuple):
    """Who attends a queue."""

    workers: int
    """Processes that gave a sign of life within RQ's two minutes."""
    bells: int
    """Batch numbers that wait in the queue."""


async def attendance(redis: AsyncRedis, queues: Sequence[str]) -> dict[str, Attendance]:
    """Return who attends each queue, in two exchanges; raises RedisError."""
    async with redis.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.smembers(WORKERS_BY_QUEUE_KEY % queue)
            pipe.llen(f"{Queue.redis_queue_namespace_prefix}{queue}")
        told = await pipe.execute()
    named, bells = told[::2], told[1::2]
    async with redis.pipeline(transaction=False) as pipe:
        for workers in named:
            # A worker that was killed stays in the set until RQ's next round; its own key runs out.
            # EXISTS wants a name; a narrow Redis user may ask for names of RQ's only.
            pipe.exists(*workers or (BatchWorker.redis_worker_namespace_prefix,))
        alive = await pipe.execute()
    return {
        queue: Attendance(int(workers), int(waiting))
        for queue, workers, waiting in zip(queues, alive, bells, strict=True)
    }


def connect(redis_url: str) -> Redis:
    """Return a connection that gives up on a stalled server instead of waiting for ever."""
    return Redis.from_url(
        redis_url,
        socket_connect_timeout=SILENCE_SECONDS,
        socket_timeout=SILENCE_SECONDS,
        health_check_interval=15,
    )


def _queue(name: str, redis: Redis) -> Queue:
    return Queue(name, connection=redis, serializer=JSONSerializer, job_class=BatchJob)


def _job_id(batch: int) -> str:
    return f"batch-{batch}-{secrets.token_hex(4)}"


def _batch(job_id: str) -> int | None:
    kind, _, rest = job_id.partition("-")
    number = rest.partition("-")[0]
    return int(number) if kind == "batch" and number.isdecimal() else None


def _data(batch: int) -> Any:  # noqa: ANN401 - RQ's EnqueueData
    return Queue.prepare_data(
        FUNCTION, args=(batch,), timeout=NO_LIMIT, result_ttl=0,
        failure_ttl=FAILURE_SECONDS, job_id=_job_id(batch),
    )  # fmt: skip


class BatchJob(Job):
    """A job that can do one thing."""

    def genuine(self) -> bool:
        """Return whether the job is one that Tongda enqueues."""
        try:
            plain = self.func_name == FUNCTION and not self.instance and not self.kwargs
            return plain and len(self.args) == 1 and type(self.args[0]) is int and not self._extras()
        except Exception:  # noqa: BLE001 - a payload may be anything
            return False

    def _extras(self) -> bool:
        names = (self._success_callback_name, self._failure_callback_name, self._stopped_callback_name)
        return any(names) or bool(self.webhooks)


def send_batch(batch: int) -> None:
    """Hand a batch to this process's engine; returns when the engine has room for the next."""
    BatchWorker.take(batch)


class BatchWorker(SimpleWorker):
    """Takes batches from one queue in the main thread; the engine's own thread sends them."""

    job_class = BatchJob
    take: ClassVar[Callable[[int], None]]
    stopping: ClassVar[threading.Event]
    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """End after the job at hand, and do not come back."""
        self.stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a genuine job; take any other off the queue without looking at what it wants."""
        if isinstance(job, BatchJob) and job.genuine():
            super().execute_job(job, queue)
            return
        log.error("foreign job refused", queue=queue.name, security=True)
        self.connection.lrem(queue.intermediate_queue.key, 1, job.id)
        self.connection.delete(job.key)


def serve(queue: str, redis_url: str, take: Callable[[int], None], stopping: threading.Event) -> None:
    """Take batches from one queue until a stop signal; outlives Redis."""
    BatchWorker.take = staticmethod(take)
    BatchWorker.stopping = stopping
    while not stopping.is_set():
        try:
            with connect(redis_url) as redis:
                waiting = _queue(queue, redis)
                # What was popped and never begun is rung again from the database. An id that RQ cannot
                # read would end its loop here at every round of its maintenance.
                redis.delete(waiting.intermediate_queue.key)
                worker = BatchWorker(
                    [waiting],
                    connection=redis,
                    serializer=JSONSerializer,
                    worker_ttl=60,
                    maintenance_interval=30,
                    log_job_description=False,
                )
                worker.work(logging_level="WARNING")
        except RedisError as error:
            log.warning("worker waits for Redis", queue=queue, error=type(error).__name__)
        stopping.wait(REST_SECONDS)
