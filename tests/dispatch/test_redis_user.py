"""S1: Redis serves us under a user who may touch our keys only, without scripts and dangerous commands.

The fixture ``redis_url`` is that user's, so that every other test proves that it is enough.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from tests.redis_user import RULES


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
    def test_may_nothing_else(self, redis_url, redis_owner_url, command):
        with Redis.from_url(redis_url) as narrow, pytest.raises(NoPermissionError):
            narrow.execute_command(*command)
        with Redis.from_url(redis_owner_url) as owner:
            (denied,) = owner.acl_log()
            assert denied["username"] == "narrow"
            owner.acl_log_reset()  # it was meant: the fixture lets nothing else be denied

    def test_is_the_one_that_operators_are_told_of(self):
        page = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
        assert f"`{RULES}`" in page.read_text(encoding="utf-8")
