"""A source that people turned off is left alone, raises no alarm, and is read again once it is on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.desk.switching import switch
from gateway.feeds.health import overview, watch
from gateway.feeds.intake import Intake
from gateway.feeds.lease import Lease
from gateway.feeds.reader import Reader
from gateway.feeds.shown import as_json
from gateway.feeds.switched import Switched
from gateway.settings import load_settings
from gateway.store import alarms
from gateway.store.desk import Person
from tests.feeds.conftest import OTHER, RELEASE, message
from tests.feeds.servers import Feeds, Streams, cap, serve, until

POLLED = {"kind": "cap", "allow_http": True, "allow_private": True, "interval_seconds": 1}


@pytest.fixture
async def operated(county):
    await county.desk.set_person(Person("sender", "虚构 sender", ("releaser",), active=True))
    return county


async def turn(county, name: str, *, off: bool, by: str = "sender", reason: str = "对方检修") -> bool:
    async with step(county.database, by, county.clock.now(), county.desk.office.policy) as one:
        return await switch(one, "source", name, off=off, reason=reason)


@asynccontextmanager
async def reading(county, **sources: dict[str, object]):
    settings = load_settings(sources=sources)
    intake = Intake(county.database, county.clock, county.desk, settings)
    reader = Reader(county.database, intake, settings, county.clock, lease=Lease(county.database, 15))
    task = asyncio.create_task(reader.run())
    try:
        yield settings
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def rounds(feeds: Feeds, path: str, count: int) -> None:
    """Wait until another source was asked so often, which takes that many of its intervals."""
    before = feeds.paths().count(path)
    await until(lambda: feeds.paths().count(path) >= before + count)


class TestAPolledSource:
    async def test_that_is_off_is_not_asked_and_goes_on_when_it_is_on(self, operated):
        async with serve(Feeds()) as feeds:
            for name in ("weather", "steady"):
                feeds.page(f"/{name}", cap(name))
            sources = {name: POLLED | {"url": feeds.url(f"/{name}")} for name in ("weather", "steady")}
            async with reading(operated, **sources):
                await rounds(feeds, "/weather", 2)
                await turn(operated, "weather", off=True)
                await rounds(feeds, "/steady", 3)
                asked = feeds.paths().count("/weather")
                await rounds(feeds, "/steady", 3)
                assert feeds.paths().count("/weather") == asked
                await turn(operated, "weather", off=False)
                await rounds(feeds, "/weather", 2)

    async def test_that_was_off_before_the_reader_began_is_never_asked(self, operated):
        await turn(operated, "weather", off=True)
        async with serve(Feeds()) as feeds:
            feeds.page("/steady", cap("steady"))
            sources = {name: POLLED | {"url": feeds.url(f"/{name}")} for name in ("weather", "steady")}
            async with reading(operated, **sources):
                await rounds(feeds, "/steady", 3)
            assert "/weather" not in feeds.paths()


class TestAStream:
    async def test_that_is_off_is_disconnected_and_opened_again_when_it_is_on(self, operated):
        async with serve(Streams()) as server:
            url = server.url("/ws").replace("http", "ws", 1)
            async with reading(operated, quakes=POLLED | {"kind": "emsc", "url": url}):
                await until(lambda: server.listeners)
                await turn(operated, "quakes", off=True)
                await until(lambda: not server.listeners)
                await turn(operated, "quakes", off=False)
                await until(lambda: server.listeners)
                assert server.connected == 2


class TestTheWatch:
    async def test_says_nothing_of_a_source_that_is_off_and_counts_anew_when_it_is_on(self, operated):
        settings = load_settings(sources={"weather": POLLED | {"url": "https://feed.example.org/"}})
        assert await self.standing(operated, settings) == []
        operated.clock.advance(3600)
        assert await self.standing(operated, settings) == ["silent"]
        await turn(operated, "weather", off=True)
        assert await self.standing(operated, settings) == []
        operated.clock.advance(3600)
        await turn(operated, "weather", off=False)
        assert await self.standing(operated, settings) == []
        operated.clock.advance(3600)
        assert await self.standing(operated, settings) == ["silent"]

    @staticmethod
    async def standing(county, settings) -> list[str]:
        await watch(county.database, settings, county.clock)
        async with county.database.begin() as connection:
            return [one.code for one in await alarms.standing(connection)]

    async def test_tells_who_turned_it_off_and_why(self, operated):
        settings = load_settings(sources={"weather": POLLED | {"url": "https://feed.example.org/"}})
        await turn(operated, "weather", off=True)
        seen = await overview(operated.database, settings, operated.clock)
        assert (seen.sources[0].off.by, seen.sources[0].off.reason) == ("sender", "对方检修")
        told = as_json(seen)["sources"][0]["turned_off"]
        assert told["at"] - operated.clock.now() < timedelta(seconds=1)
        await turn(operated, "weather", off=False)
        assert (await overview(operated.database, settings, operated.clock)).sources[0].off is None


ALONE = RELEASE | {"release_alone": False, "agrees_with": ["water"]}


class TestARule:
    """What was read before the source was turned off is finished later, e.g. by the reconciler."""

    async def test_sends_nothing_of_a_source_that_is_off(self, operated):
        intake = operated.intake(weather=dict(RELEASE))
        await turn(operated, "weather", off=True)
        (taken,) = await operated.take(intake, message())
        assert (taken.state, taken.reason) == (
            "submitted", "its source is turned off: a person approves",
        )  # fmt: skip
        assert await operated.sent() == []

    @pytest.mark.parametrize("first", ["weather", "water"])
    async def test_takes_no_word_of_a_source_that_is_off_for_a_second(self, operated, first):
        intake = operated.intake(weather=ALONE, water={})
        await turn(operated, "water", off=True)
        both = {"weather": message(), "water": message("w", sender=OTHER)}
        for source in (first, *({*both} - {first})):
            await operated.take(intake, both[source], source=source)
        assert await operated.sent() == []


class TestTheSwitch:
    async def test_each_turn_is_written_down_once(self, operated):
        assert await turn(operated, "weather", off=True)
        assert not await turn(operated, "weather", off=True, reason="再次")
        assert await turn(operated, "weather", off=False)
        assert await operated.audited("turn_off") == ['{"reason":"对方检修"}']
        assert len(await operated.audited("turn_on")) == 1

    async def test_nothing_is_on_before_the_first_look(self, operated):
        switched = Switched(operated.database, ["weather"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(switched.on("weather"), 0.05)
        await switched.look()
        await switched.on("weather")

    async def test_what_the_reading_raises_is_raised(self, operated):
        async def fail() -> None:
            raise LookupError

        switched = Switched(operated.database, ["weather"])
        await switched.look()
        with pytest.raises(LookupError):
            await switched.while_on("weather", fail())

    async def test_who_may_not_operate_turns_nothing_off(self, operated):
        with pytest.raises(DeskRefused, match="may not operate"):
            await turn(operated, "weather", off=True, by="author")
