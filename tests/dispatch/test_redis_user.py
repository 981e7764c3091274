"""S1: Redis serves us under a user who may touch our keys only, without scripts and dangerous commands.

What doorbells and rates are tested with runs here once more, as that user.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis as redis_client
from redis.asyncio import Redis

from gateway.clock import SYSTEM
from gateway.dispatch.limits import RateLimit
from gateway.partners.rates import Rates
from tests.dispatch import test_queues
from tests.dispatch.test_queues import (  # noqa: F401 - fixtures, and tests that run once more
    TestAHostileJob,
    bells,
    redis,
    test_a_queue_is_attended_once_a_worker_lives,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, WORD = "narrow", "invented-for-this-test"
RULES = "~rq:* ~tongda:* &rq:* +@all -@scripting -@dangerous +info +client"
"""As docs/architecture.md gives it."""


@pytest.fixture
def redis_url(redis_url: str) -> Iterator[str]:
    with redis_client.Redis.from_url(redis_url) as owner:
        owner.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{WORD}", *RULES.split())
        yield f"unix://{USER}:{WORD}@{urlsplit(redis_url).path}"
        owner.execute_command("ACL", "DELUSER", USER)


class TestTheUser:
    @pytest.mark.parametrize(
        "command",
        [
            ("EVAL", "return 1", 0),
            ("FLUSHALL",),
            ("CONFIG", "GET", "dir"),
            ("KEYS", "*"),
            ("SET", "another", "1"),
            ("REPLICAOF", "127.0.0.1", "1"),
            ("SHUTDOWN",),
        ],
        ids=lambda command: command[0],
    )
    def test_may_nothing_else(self, redis, command):  # noqa: F811 - the fixture
        with pytest.raises(redis_client.exceptions.NoPermissionError):
            redis.execute_command(*command)

    def test_is_the_one_that_operators_are_told_of(self):
        page = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
        assert f"`{RULES}`" in page.read_text(encoding="utf-8")


class TestDoorbells(test_queues.TestADoorbell):
    test_leaves_nothing_in_redis_once_it_was_heard = None
    """It lists all keys, which this user may not."""


class TestRates:
    async def test_of_a_contract_are_kept(self, redis_url):
        async with Redis.from_url(redis_url) as shared:
            limit = RateLimit(shared, "sms.live", 1_000, urgent=True)
            await limit.take(2)
            await limit.close()
            assert await shared.exists("tongda:rate:sms.live:next", "tongda:rate:sms.live:urgent") == 2

    async def test_of_a_partner_are_counted_in_redis(self, redis_url):
        async with Redis.from_url(redis_url) as shared:
            counts = [await Rates(shared, SYSTEM).spend("push", "1", 60, 1) for _ in range(3)]
        assert [one.left for one in counts] == [59, 58, 57]
