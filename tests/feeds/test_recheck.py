"""An earthquake that leaves the list while its warning stands is asked about, and only a 409 withdraws it."""

from __future__ import annotations

import orjson
import pytest

from gateway.audience.county import CENTRE, load_county, synthetic_county
from gateway.feeds.book import Book
from gateway.feeds.fetch.pace import Pace
from gateway.feeds.lease import Lease
from gateway.feeds.poller import Poller
from gateway.feeds.reader import make_client
from gateway.feeds.reception import open_intake
from gateway.settings import load_settings
from tests.desk.conftest import START
from tests.feeds.servers import HOME, Feeds, serve

NOW_MS = round(START.timestamp() * 1000)


def quake(updated=0, **properties):
    """One feature as USGS lists it: an invented M 6 below the synthetic county."""
    base = {
        "mag": 6.0,
        "place": "虚构县",
        "time": NOW_MS - 30_000,
        "updated": NOW_MS + updated,
        "status": "reviewed",
        "net": "xx",
        "code": "99000009",
        "ids": ",xx99000009,",
        "types": ",origin,",
        "magType": "mww",
        "type": "earthquake",
        "title": "invented",
        "tsunami": 0,
    }
    place = {"type": "Point", "coordinates": [CENTRE[1], CENTRE[0], 10.0]}
    return {"type": "Feature", "id": "xx99000009", "properties": base | properties, "geometry": place}


def listing(*features, generated=0):
    head = {
        "generated": NOW_MS + generated,
        "url": "https://earthquake.usgs.gov/invented",
        "count": len(features),
    }
    return orjson.dumps({"type": "FeatureCollection", "metadata": head, "features": list(features)})


class Rig:
    def __init__(self, county, feeds, poller):
        self.county, self.feeds, self.poller = county, feeds, poller

    async def poll(self, *features, seconds=60):
        self.county.clock.advance(seconds)
        moved = round((self.county.clock.now() - START).total_seconds() * 1000)
        self.feeds.page("/summary", listing(*features, generated=moved))
        await self.poller.poll()

    async def states(self):
        return [state for _, _, state in await self.county.ours()]

    def asked(self):
        return [path for path in self.feeds.paths() if path.startswith("/query")]


@pytest.fixture
async def rig(county):
    async def to_home(_host, _port):
        return [HOME]

    await load_county(county.database, synthetic_county(contacts=1000))
    lease = Lease(county.database, 15)
    assert await lease.take()
    async with serve(Feeds()) as feeds:
        source = {"kind": "usgs", "url": feeds.url("/summary"), "archive_url": feeds.url("/query")}
        local = {"allow_http": True, "allow_private": True}
        settings = load_settings(sources={"usgs": source | local})
        intake = open_intake(county.database, county.clock, county.desk, settings)
        book = Book(county.database, county.clock, lease, "usgs", settings.sources["usgs"])
        async with make_client(settings.sources["usgs"], settings, Pace(), county.clock, to_home) as client:
            yield Rig(county, feeds, Poller(book, client, intake))


async def test_a_409_takes_back_what_the_list_has_forgotten(rig):
    await rig.poll(quake(), seconds=1)
    assert await rig.states() == ["draft"]
    rig.feeds.page("/query", "Error 409: Conflict", status=409)
    await rig.poll()
    assert rig.asked() == ["/query?eventid=xx99000009&format=geojson"]
    assert await rig.states() == ["withdrawn"]
    await rig.poll()
    assert len(rig.asked()) == 1


async def test_an_event_that_only_left_the_list_stays(rig):
    await rig.poll(quake(), seconds=1)
    rig.feeds.page("/query", orjson.dumps(quake(60_000)))
    await rig.poll()
    assert await rig.states() == ["draft"]
    await rig.poll()
    assert len(rig.asked()) == 1, "not every minute"
    await rig.poll(seconds=300)
    assert len(rig.asked()) == 2


@pytest.mark.parametrize("status", [404, 500, 503])
async def test_no_answer_and_an_error_withdraw_nothing(rig, status):
    await rig.poll(quake(), seconds=1)
    rig.feeds.page("/query", "nothing", status=status)
    await rig.poll()
    assert len(rig.asked()) == 1
    assert await rig.states() == ["draft"]


async def test_what_is_listed_is_not_asked_about(rig):
    await rig.poll(quake(), seconds=1)
    await rig.poll(quake(1000))
    assert rig.asked() == []


async def test_one_that_gets_no_answer_ends_the_asking_until_the_next_poll(rig, monkeypatch):
    async def standing(*_):
        return ["xx1", "xx2", "xx3"]

    monkeypatch.setattr(Book, "standing_quakes", standing)
    rig.feeds.page("/query", "nothing", status=500)
    for asked in range(1, 4):
        await rig.poll()
        assert len(rig.asked()) == asked
    await rig.poll()
    assert len(rig.asked()) == 3
