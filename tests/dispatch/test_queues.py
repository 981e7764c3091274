"""The doorbell takes batch numbers and nothing else, whoever writes into Redis (B5)."""

from __future__ import annotations

import asyncio
import pickle
import signal
import threading
import zlib
from typing import TYPE_CHECKING

import pytest
from rq import Callback, Queue
from rq.serializers import DefaultSerializer, JSONSerializer
from structlog.testing import capture_logs

from gateway.dispatch.queues import FUNCTION, BatchWorker, Doorbells, connect, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

QUEUE = "sms.urgent"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with connect(redis_url) as opened:
        yield opened


@pytest.fixture
def bells(redis_url: str) -> Iterator[Doorbells]:
    made = Doorbells(redis_url)
    yield made
    made.close()


def work(redis: Redis) -> list[int]:
    """Let a worker take everything that waits; return the batches that reached the engine."""
    taken: list[int] = []
    BatchWorker.take = staticmethod(taken.append)
    BatchWorker.stopping = threading.Event()
    kept = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer, job_class=BatchWorker.job_class)
        worker = BatchWorker([queue], connection=redis, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="CRITICAL")
    finally:
        for which, handler in kept.items():
            signal.signal(which, handler)
    return taken


def serve_until_one(redis_url: str) -> list[int]:
    """Serve the queue as the command does, until the first batch is there."""
    taken: list[int] = []

    def take(batch: int) -> None:
        taken.append(batch)
        signal.raise_signal(signal.SIGTERM)

    kept = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        serve(QUEUE, redis_url, take, threading.Event())
    finally:
        for which, handler in kept.items():
            signal.signal(which, handler)
    return taken


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self):
        return (open, (self.marker, "w"))


def push(redis: Redis, job_id: str, data: bytes) -> None:
    redis.hset(f"rq:job:{job_id}", mapping={"data": data, "origin": QUEUE, "status": "queued"})
    redis.rpush(f"rq:queue:{QUEUE}", job_id)


class TestAHostileJob:
    """W6: a job holds the number of a batch and nothing that could widen an area."""

    def check(self, redis: Redis, bells: Doorbells, marker: Path) -> None:
        """It is not run, nothing of it stays, and the batch behind it is taken."""
        bells.ring(QUEUE, [7])
        with capture_logs() as logs:
            assert work(redis) == [7]
        assert not marker.exists()
        assert any(row.get("security") for row in logs)
        assert redis.llen(f"rq:queue:{QUEUE}") == 0

    def test_with_a_pickle_is_not_unpickled(self, redis, bells, tmp_path):
        marker = tmp_path / "marker"
        push(redis, "batch-1-aa", zlib.compress(pickle.dumps(Bomb(str(marker)))))
        self.check(redis, bells, marker)

    def test_enqueued_with_pickle_by_rq_itself_is_not_unpickled(self, redis, bells, tmp_path):
        marker = tmp_path / "marker"
        foreign = Queue(QUEUE, connection=redis, serializer=DefaultSerializer)
        foreign.enqueue_call("os.mkdir", args=(str(marker),))
        self.check(redis, bells, marker)

    @pytest.mark.parametrize("function", ["os.mkdir", "builtins.open", "gateway.dispatch.queues.connect", ""])
    def test_with_another_function_is_not_called(self, redis, bells, tmp_path, function):
        marker = tmp_path / "marker"
        Queue(QUEUE, connection=redis, serializer=JSONSerializer).enqueue_call(function, args=(str(marker),))
        self.check(redis, bells, marker)

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            (1, 2),
            ("1",),
            (True,),
            (1.0,),
            ([1],),
            ({"batch": 1},),
            (None,),
            ("../../../etc/passwd",),
            ("9" * 10_000_000,),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_with_anything_but_one_number_is_not_run(self, redis, bells, tmp_path, arguments):
        Queue(QUEUE, connection=redis, serializer=JSONSerializer).enqueue_call(FUNCTION, args=arguments)
        self.check(redis, bells, tmp_path / "marker")

    def test_with_named_arguments_is_not_run(self, redis, bells, tmp_path):
        Queue(QUEUE, connection=redis, serializer=JSONSerializer).enqueue_call(FUNCTION, kwargs={"batch": 1})
        self.check(redis, bells, tmp_path / "marker")

    @pytest.mark.parametrize("which", ["on_success", "on_failure", "on_stopped"])
    def test_with_a_callback_is_not_run(self, redis, bells, tmp_path, which):
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        queue.enqueue_call(FUNCTION, args=(1,), **{which: Callback("os.abort")})
        self.check(redis, bells, tmp_path / "marker")

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"no zlib",
            zlib.compress(b"no json"),
            zlib.compress(b"[]"),
            zlib.compress(b'["a",null,[1],{},9]'),
        ],
        ids=["empty", "not compressed", "no JSON", "no fields", "too many fields"],
    )
    def test_of_broken_bytes_is_taken_off(self, redis, bells, tmp_path, data):
        push(redis, "batch-1-aa", data)
        self.check(redis, bells, tmp_path / "marker")


@pytest.mark.parametrize(
    "job_id", ["../../etc/passwd", "batch-../1", "x" * 100_000, "batch-", "", "rq:job:1"]
)
def test_an_id_that_names_nothing_is_dropped_and_does_not_count_as_waiting(redis, redis_url, bells, job_id):
    redis.rpush(f"rq:queue:{QUEUE}", job_id)
    assert bells.waiting(QUEUE) == set()
    bells.ring(QUEUE, [7])
    assert serve_until_one(redis_url) == [7]
    assert redis.llen(f"rq:queue:{QUEUE}") == 0


class TestADoorbell:
    def test_brings_batches_in_order(self, redis, bells):
        bells.ring(QUEUE, [3, 1, 2])
        assert bells.waiting(QUEUE) == {1, 2, 3}
        assert work(redis) == [3, 1, 2]
        assert bells.waiting(QUEUE) == set()

    def test_brings_those_that_are_first_before_all_others_and_in_their_order(self, redis, bells):
        bells.ring(QUEUE, [1, 2])
        bells.ring(QUEUE, [8, 9], first=True)
        assert work(redis) == [8, 9, 1, 2]

    def test_rung_twice_brings_the_batch_twice(self, redis, bells):
        bells.ring(QUEUE, [1])
        bells.ring(QUEUE, [1])
        assert work(redis) == [1, 1]

    def test_leaves_nothing_in_redis_once_it_was_heard(self, redis, bells, redis_owner_url):
        bells.ring(QUEUE, range(50))
        work(redis)
        with connect(redis_owner_url) as owner:
            assert owner.keys("rq:job:*") == []

    def test_that_the_engine_cannot_take_does_not_end_the_worker(self, redis, bells, monkeypatch):
        bells.ring(QUEUE, [1, 2])
        monkeypatch.setattr("gateway.dispatch.queues.send_batch", lambda batch: 1 / 0)
        assert work(redis) == []
        assert redis.llen(f"rq:queue:{QUEUE}") == 0

    def test_rings_in_its_own_lane_only(self, redis, bells):
        bells.ring("sms.normal", [1])
        assert work(redis) == []
        assert bells.waiting("sms.normal") == {1}


async def test_a_queue_is_attended_once_a_worker_lives(redis, bells):
    attended = asyncio.create_task(bells.attended(QUEUE))
    await asyncio.wait([attended], timeout=0.3)
    assert not attended.done()
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    worker = BatchWorker([queue], connection=redis, serializer=JSONSerializer)
    worker.register_birth()
    await asyncio.wait_for(attended, 30)
    worker.register_death()
