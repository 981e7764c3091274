"""A request that is repeated happens once; limits; and what happens where a service is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from gateway.partners.idempotency import Once
from gateway.partners.rates import Rates
from gateway.partners.reading import JSON, read
from gateway.partners.requests import payload
from gateway.store.database import Database

from .conftest import ALERTS, Partner, encode, form, problem

NOWHERE = "redis://127.0.0.1:1/0"


async def count(database, table: str) -> int:
    async with database.begin() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


class FailingIntake:
    """The real intake, which fails once before or after its work."""

    def __init__(self, intake, *, after: bool) -> None:
        self.intake, self.after, self.failures = intake, after, 1

    async def take(self, *what):
        if not self.after:
            self._fail()
        taken = await self.intake.take(*what)
        self._fail()
        return taken

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError("invented")


class TestRepeated:
    async def test_the_same_request_gets_the_same_answer(self, water, database):
        value = form()
        first = await water.push(value, idempotency="one")
        again = await water.push(value, idempotency="one")
        assert (first.status, await first.text()) == (again.status, await again.text())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert await count(database, "incoming") == 1

    async def test_another_request_under_the_same_key_is_refused(self, water, database):
        await water.push(form(), idempotency="one")
        response = await water.push(form(), idempotency="one")
        assert (response.status, await problem(response)) == (409, "idempotency_key_reused")
        assert await count(database, "incoming") == 1

    async def test_partners_do_not_share_keys(self, water, partner, database):
        assert (await water.push(form(), idempotency="one")).status == 202
        assert (await (await partner("quake")).push(form(), idempotency="one")).status == 202
        assert await count(database, "incoming") == 2

    async def test_both_keys_of_a_partner_are_one_partner(self, water, make_key, database, clock):
        value = form()
        await water.push(value, idempotency="one")
        other = Partner(water.client, await make_key(), clock)
        response = await other.push(value, idempotency="one")
        assert response.headers["Idempotency-Replayed"] == "true"
        assert await count(database, "incoming") == 1

    async def test_fifty_at_once_are_one(self, water, database):
        value = form()

        async def go() -> tuple[int, str | None]:
            response = await water.push(value, idempotency="one")
            return response.status, response.headers.get("Retry-After")

        told = Counter(await asyncio.gather(*(go() for _ in range(50))))
        assert set(told) <= {(202, None), (409, "1")}
        assert told[202, None] >= 1
        assert await count(database, "incoming") == 1
        assert await count(database, "alerts") == 1

    @pytest.mark.parametrize("after", [False, True])
    async def test_a_failure_before_or_after_the_alert_was_taken_can_be_repeated_at_once(
        self, serve, intake, make_key, clock, database, after
    ):
        one = Partner(await serve(intake=FailingIntake(intake, after=after)), await make_key(), clock)
        value = form()
        failed = await one.push(value, idempotency="one")
        assert (failed.status, await problem(failed)) == (503, "unavailable")
        assert failed.headers["Retry-After"] == "5"
        again = await one.push(value, idempotency="one")
        assert again.status == 202
        assert (await again.json())["state"] == "drafted"
        assert await count(database, "incoming") == 1
        assert await count(database, "alerts") == 1

    async def test_a_process_that_died_after_taking_the_alert_doubles_nothing(self, water, intake, database):
        body = encode(form())
        once = Once.of("water", "one", payload("POST", ALERTS, body))
        assert await once.begin(database, timedelta(0)) is None
        taken = await intake.take("partner.water", "api", read(JSON, body).item)
        response = await water.push(body, idempotency="one")
        assert response.status == 202
        assert (await response.json())["id"] == taken.incoming_id
        assert await count(database, "incoming") == 1

    async def test_while_the_first_is_under_way_the_second_is_told_to_wait(self, water, database):
        body = encode(form())
        once = Once.of("water", "one", payload("POST", ALERTS, body))
        assert await once.begin(database) is None
        response = await water.push(body, idempotency="one")
        assert (response.status, await problem(response)) == (409, "under_way")
        assert response.headers["Retry-After"] == "1"

    async def test_old_answers_are_forgotten(self, water, database):
        await water.push(form(), idempotency="old")
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE partner_requests SET started_at = now() - interval '8 days'")
            )
        await water.push(form(), idempotency="new")
        assert await count(database, "partner_requests") == 1


class TestLimits:
    @pytest.fixture
    async def slow(self, serve, settings, make_key, clock):
        """A partner of three pushes and twenty questions a minute."""
        limited = settings.partners["water"].model_copy(update={"push_per_minute": 3, "read_per_minute": 20})
        changed = settings.model_copy(update={"partners": {"water": limited}})

        async def start(**what) -> Partner:
            return Partner(await serve(settings=changed, **what), await make_key(), clock)

        return start

    async def test_pushes_and_questions_have_limits_of_their_own(self, slow, clock):
        one = await slow()
        assert [(await one.push(form())).status for _ in range(4)] == [202, 202, 202, 429]
        assert (await one.get()).status == 200
        clock.advance(60)
        assert (await one.push(form())).status == 202

    async def test_what_is_left_stands_in_the_headers(self, slow):
        one = await slow()
        response = await one.push(form())
        assert response.headers["RateLimit-Policy"] == '"push";q=3;w=60'
        assert response.headers["RateLimit"] == '"push";r=2;t=60'
        for _ in range(3):
            response = await one.push(form())
        assert await problem(response) == "too_many"
        assert response.headers["Retry-After"] == "60"
        assert response.headers["RateLimit"] == '"push";r=0;t=60'

    async def test_a_report_counts_as_ten_questions(self, slow):
        one = await slow()
        assert [(await one.get("/1/coverage")).status for _ in range(3)] == [404, 404, 429]

    async def test_without_redis_there_still_is_a_limit_and_still_an_answer(self, slow):
        async with Redis.from_url(NOWHERE) as away:
            one = await slow(redis=away)
            told = [(await one.get()).status for _ in range(8)]
        assert told == [200] * 5 + [429] * 3

    async def test_strangers_with_many_addresses_do_not_renew_a_keys_limit_without_redis(self, clock):
        async with Redis.from_url(NOWHERE) as away:
            rates = Rates(away, clock)
            assert (await rates.spend("read", "1", 100)).left == 24
            for number in range(11_000):
                await rates.spend("failures", str(number), 30)
            assert (await rates.spend("read", "1", 100)).left == 23
            assert len(rates._alone) < 11_000

    async def test_counts_go_on_in_redis_once_it_is_back(self, redis, clock):
        async with Redis.from_url(NOWHERE) as away:
            rates = Rates(away, clock)
            assert (await rates.spend("read", "1", 100)).limit == 25
            rates._redis = redis
            assert (await rates.spend("read", "1", 100)).limit == 25
            clock.advance(5)
            assert (await rates.spend("read", "1", 100)).limit == 100

    async def test_counters_in_redis_end_by_themselves(self, water, redis):
        await water.get()
        (key,) = [key async for key in redis.scan_iter("tongda:partner:read:*")]
        assert 0 < await redis.ttl(key) <= 120


class TestDatabaseAway:
    async def test_nothing_is_taken_and_the_answer_says_when_to_come_again(self, serve, clock, water):
        async with Database("postgresql://nobody@127.0.0.1:1/nothing") as gone:
            client = await serve(database=gone)
            response = await Partner(client, water.key, clock).push(form())
            assert (response.status, await problem(response)) == (503, "unavailable")
            assert response.headers["Retry-After"] == "5"
