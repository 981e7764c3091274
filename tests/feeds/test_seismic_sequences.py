"""From the documents of real formats to the reports in the inbox, over the life of an earthquake."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from gateway.alerts.model import MsgType, Status
from gateway.audience.county import CENTRE, load_county, synthetic_county
from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.feeds.adapters import adapter
from gateway.feeds.document import Document
from gateway.feeds.intake import Intake
from gateway.feeds.seismic.seismology import Seismology, open_setup
from gateway.settings import load_settings
from gateway.store import alarms
from gateway.store.database import Database
from gateway.store.incoming_tables import incoming
from gateway.store.seismic_tables import seismic_events, seismic_warnings, solution_links, solutions
from gateway.store.tables import alerts
from tests.desk.conftest import make_office
from tests.feeds.seismic_made import ORIGIN, solution

GUSTAVUS = (58.241, -137.8377)
"""Where the earthquake of the USGS sequence is."""
SOURCES = {
    "usgs": ("usgs", "https://feed.example.org/usgs"),
    "emsc": ("emsc", "wss://feed.example.org/emsc"),
    "node": ("quakeml", "https://feed.example.org/quakeml"),
    "ingv": ("fdsn_text", "https://feed.example.org/ingv"),
    "wolfx": ("cenc", "https://feed.example.org/wolfx"),
}
RULE = {
    "action": "release",
    "regions": ["9901"],
    "hazards": ["earthquake"],
    "senders": ["seismic@county.example.org"],
    "agrees_with": ["emsc", "us"],
}


def configured(action="draft"):
    sources = {
        name: {"kind": kind, "url": url, "accept_unofficial": name == "wolfx"}
        for name, (kind, url) in SOURCES.items()
    }
    rule = RULE if action == "release" else {"action": action}
    return load_settings(sources=sources, feeds={"seismic_rule": rule})


class House:
    """Seismology with a real intake and desk, over the invented county."""

    def __init__(self, database, clock, action="draft"):
        self.database = database
        self.clock = clock
        settings = configured(action)
        self.intake = Intake(database, clock, Desk(database, clock, make_office()), settings)
        self.seismology = Seismology(database, self.intake, settings, open_setup(settings))

    async def take(self, source, *came, minute=None):
        """Take solutions, ``minute`` after the origin; return the reports that this led to, in short."""
        if minute is not None:
            self.clock.advance((ORIGIN + timedelta(minutes=minute) - self.clock.now()).total_seconds())
        before = len(await self.rows(seismic_warnings))
        self.taken = await self.seismology.take(source, came, at=self.clock.now())
        return [self.short(row) for row in (await self.rows(seismic_warnings))[before:]]

    @staticmethod
    def short(row):
        return f"{row.alert['msg_type']} {row.alert['identifier']} M{row.magnitude}"

    async def rows(self, table):
        async with self.database.begin() as connection:
            return list(await connection.execute(select(table).order_by(table.c.id)))

    async def states(self):
        return [(row.id, row.state) for row in await self.rows(seismic_events)]

    async def members(self):
        """Event -> names of the solutions in it."""
        found = {}
        for row in await self.rows(solution_links):
            if row.until is None:
                found.setdefault(row.event_id, []).append(row.name)
        return {event: sorted(names) for event, names in found.items()}

    async def inbox(self):
        return [(row.identifier, row.state) for row in await self.rows(incoming)]

    async def findings(self):
        """Codes of the findings of the last report."""
        return [one["code"] for one in (await self.rows(seismic_warnings))[-1].findings]

    async def alarms(self):
        async with self.database.begin() as connection:
            return [(one.subject, one.code) for one in await alarms.standing(connection)]


@pytest.fixture(scope="module")
def county():
    return synthetic_county(contacts=60)


@pytest.fixture
async def database(database_url, county):
    async with Database(database_url, size=8) as opened:
        await load_county(opened, county)
        yield opened


@pytest.fixture
def clock():
    return HandClock(ORIGIN)


@pytest.fixture
def house(database, clock):
    return House(database, clock)


def read(kind, data, away=None):
    """The solutions of a document, moved into the invented county."""
    came = adapter(kind).read(Document(data)).solutions
    if away is None:
        return came
    north, east = CENTRE[0] - away[0], CENTRE[1] - away[1]
    return [
        one if one.lat is None else replace(one, lat=one.lat + north, lon=(one.lon + east + 180) % 360 - 180)
        for one in came
    ]


class TestUsgs:
    @pytest.fixture
    def clock(self):
        return HandClock(datetime.fromisoformat("2016-04-12T19:23:00+00:00"))

    @pytest.fixture
    def step(self, corpus, house):
        async def take(name, seconds=60, change=lambda one: one):
            house.clock.advance(seconds)
            data = (corpus / "usgs_geojson" / f"synthetic_seq_{name}.json").read_bytes()
            return await house.take("usgs", *map(change, read("usgs", data, GUSTAVUS)))

        return take

    async def test_the_sequence_from_the_first_solution_to_the_split(self, house, step):
        assert await step("1_automatic") == ["Alert quake-1-1 M4.6"]
        assert await step("2_second_network") == ["Update quake-1-2 M5.6"]
        assert await house.members() == {1: ["at00synth1", "nc99000001"]}
        assert await step("3_merged_preferred_us") == ["Update quake-1-3 M5.1"]
        assert await house.members() == {1: ["at00synth1", "nc99000001", "us9000synt"]}
        assert await step("4_magnitude_update") == []
        assert await step("5_metadata_only") == []
        assert await step("6_gone_from_feed") == []
        assert await step("7_split") == ["Alert quake-4-1 M2.9"]
        assert await house.findings() == ["quake_magnitude_jump", "quake_split"]
        assert (await house.members())[1] == ["at00synth1", "us9000synt"]
        assert (await house.members())[4] == ["nc99000001"]

    async def test_a_deletion_takes_the_warning_back_with_all_that_was_merged(self, house, step):
        for name in ("1_automatic", "2_second_network", "3_merged_preferred_us"):
            await step(name)
        gone = await step(
            "3_merged_preferred_us",
            change=lambda one: replace(
                one, withdrawn=True, magnitude=None, updated=one.updated + timedelta(minutes=9)
            ),
        )
        assert gone == ["Cancel quake-1-4 M5.1"]
        assert await house.states() == [(1, "withdrawn")]

    async def test_a_network_of_the_same_source_confirms_nothing(self, house, step):
        await step("1_automatic")
        await step("2_second_network")
        assert [list(row.agreeing) for row in await house.rows(seismic_warnings)] == [[], []]

    async def test_a_magnitude_that_moves_enough_is_an_update(self, house, step):
        await step("3_merged_preferred_us")
        more = await step("4_magnitude_update", change=lambda one: replace(one, magnitude=5.5))
        assert more == ["Update quake-1-2 M5.5"]

    async def test_every_version_is_kept_with_its_bytes_and_the_same_one_once(self, house, step):
        for name in (
            "1_automatic",
            "1_automatic",
            "2_second_network",
            "5_metadata_only",
            "4_magnitude_update",
        ):
            await step(name)
        rows = [(row.name, row.current, row.magnitude) for row in await house.rows(solutions)]
        assert rows == [
            ("nc99000001", True, 4.6),
            ("at00synth1", True, 5.6),
            ("us9000synt", True, 5.3),
            ("us9000synt", False, 5.3),
        ]
        assert all(row.original for row in await house.rows(solutions))

    async def test_in_another_order_the_events_are_the_same(self, house, step):
        for name in ("7_split", "3_merged_preferred_us", "1_automatic", "2_second_network"):
            await step(name)
        assert sorted((await house.members()).values()) == [["at00synth1", "us9000synt"], ["nc99000001"]]

    async def test_a_quarry_blast_warns_nobody(self, corpus, house):
        data = (corpus / "usgs_geojson" / "synthetic_quarry_blast_negative_depth.json").read_bytes()
        (blast,) = read("usgs", data, GUSTAVUS)
        assert await house.take("usgs", replace(blast, magnitude=5.5)) == []
        assert await house.take("usgs", replace(blast, magnitude=5.5, event_type="earthquake")) != []

    async def test_a_week_of_the_world_warns_nobody_here(self, corpus, house):
        data = (corpus / "usgs_geojson" / "summary_2.5_week_30.json").read_bytes()
        came = read("usgs", data)
        assert await house.take("usgs", *came) == []
        assert len(await house.states()) == len(came)


class TestQuakeMl:
    @pytest.fixture
    def clock(self):
        return HandClock(datetime.fromisoformat("2026-03-01T04:13:05+00:00"))

    async def test_a_solution_its_revision_and_its_withdrawal(self, corpus, house):
        said = []
        for name in ("1_automatic", "2_preferred_changes", "3_not_existing"):
            data = (corpus / "quakeml" / f"synthetic_{name}.xml").read_bytes()
            house.clock.advance(30)
            said += await house.take("node", *read("quakeml", data, (31.20, 103.50)))
        kinds = [one.split()[0] for one in said]
        assert kinds == ["Alert", "Update", "Cancel"]
        assert [one.split()[1] for one in said] == ["quake-1-1", "quake-1-2", "quake-1-3"]
        assert await house.states() == [(1, "withdrawn")]

    async def test_events_without_place_or_magnitude_warn_nobody(self, corpus, house):
        for name in ("5_no_magnitude", "6_empty_catalog"):
            data = (corpus / "quakeml" / f"synthetic_{name}.xml").read_bytes()
            assert await house.take("node", *read("quakeml", data, (31.20, 103.50))) == []


class TestEmsc:
    @pytest.fixture
    def clock(self):
        return HandClock(datetime.fromisoformat("2024-10-04T16:29:00+00:00"))

    async def test_create_update_and_delete_are_one_event(self, corpus, house):
        said = []
        for name in ("create_panama_20241004", "synthetic_update_same_unid", "synthetic_delete"):
            data = (corpus / "emsc_ws" / f"{name}.json").read_bytes()
            house.clock.advance(30)
            said += await house.take("emsc", *read("emsc", data, (9.02, -82.876)))
        assert [one.split()[0] for one in said] == ["Alert", "Update", "Cancel"]
        assert await house.states() == [(1, "withdrawn")]


class TestAftershocks:
    async def test_two_shocks_of_ingv_42_seconds_apart_are_two_events(self, corpus, house):
        data = (corpus / "fdsn_text" / "ingv_20240830.txt").read_bytes()
        await house.take("ingv", *read("fdsn_text", data))
        assert sorted(map(len, (await house.members()).values())) == [1, 1, 1, 1, 1]


class TestSeveralSources:
    async def test_two_agencies_are_one_event_and_agree(self, house):
        assert await house.take("usgs", solution("us1"), minute=1) == ["Alert quake-1-1 M5.5"]
        other = solution("em1", agency="emsc", seconds=2, km=12, minute=2)
        assert await house.take("emsc", other, minute=2) == ["Update quake-1-2 M5.5"]
        assert list((await house.rows(seismic_warnings))[-1].agreeing) == ["emsc"]

    async def test_two_quakes_3_seconds_and_350_km_apart_do_not(self, house):
        await house.take("usgs", solution("us1"), minute=1)
        await house.take("emsc", solution("em1", agency="emsc", seconds=3, km=350), minute=1)
        assert len(await house.states()) == 2
        assert all(not row.agreeing for row in await house.rows(seismic_warnings))

    async def test_one_of_them_withdrawing_takes_nothing_back(self, house):
        await house.take("usgs", solution("us1"), minute=1)
        await house.take("emsc", solution("em1", agency="emsc", minute=2), minute=2)
        assert await house.take("usgs", solution("us1", withdrawn=True, minute=3), minute=3) == []
        gone = solution("em1", agency="emsc", withdrawn=True, minute=4)
        assert await house.take("emsc", gone, minute=4) == ["Cancel quake-1-3 M5.5"]

    async def test_two_events_that_become_one_leave_one_warning(self, house):
        await house.take("usgs", solution("us1"), minute=1)
        far = solution("nc1", agency="nc", km=-210, magnitude=6.3, minute=2)
        assert await house.take("usgs", far, minute=2) == ["Alert quake-2-1 M6.3"]
        merged = solution("us1", ids=("us1", "nc1"), minute=3)
        assert await house.take("usgs", merged, minute=3) == ["Cancel quake-2-2 M6.3"]
        assert await house.states() == [(1, "open"), (2, "merged")]
        links = [
            (row.name, row.event_id, row.why, row.until is None) for row in await house.rows(solution_links)
        ]
        assert links == [
            ("us1", 1, "came", True),
            ("nc1", 2, "came", False),
            ("nc1", 1, "moved", True),
        ]

    async def test_a_test_makes_no_part_of_a_real_event(self, house):
        await house.take("usgs", solution("us1"), minute=1)
        test = solution("em1", agency="emsc", status=Status.TEST, magnitude=7.0)
        assert await house.take("emsc", test, minute=1) == ["Alert quake-2-1 M7.0"]
        assert await house.inbox() == [("quake-1-1", "drafted"), ("quake-2-1", "stored")]

    async def test_concurrent_sources_make_one_event(self, house):
        other = House(house.database, house.clock)
        names = [("usgs", "us"), ("emsc", "em"), ("node", "gf"), ("ingv", "in")]
        at = ORIGIN + timedelta(minutes=1)
        house.clock.advance(60)
        await asyncio.gather(
            *(
                (house, other)[n % 2].seismology.take(source, [solution(f"{agency}1", seconds=n)], at=at)
                for n, (source, agency) in enumerate(names)
            )
        )
        assert [len(names) for names in (await house.members()).values()] == [4]
        assert next(row.alert["msg_type"] for row in await house.rows(seismic_warnings)) == "Alert"
        numbers = [row.number for row in await house.rows(seismic_warnings)]
        assert numbers == list(range(1, len(numbers) + 1))

    async def test_the_same_document_at_once_twice_is_one_version(self, house):
        house.clock.advance(60)
        at = house.clock.now()
        await asyncio.gather(*(house.seismology.take("usgs", [solution("us1")], at=at) for _ in range(4)))
        assert len(await house.rows(solutions)) == 1
        assert len(await house.rows(seismic_warnings)) == 1
        assert await house.inbox() == [("quake-1-1", "drafted")]


class TestInbox:
    async def test_a_report_is_drafted_with_its_townships(self, house):
        await house.take("usgs", solution("us1", magnitude=6.0), minute=1)
        (taken,) = house.taken
        assert taken.state == "drafted"
        (draft,) = await house.rows(alerts)
        assert (draft.hazard, draft.level, draft.state) == ("earthquake", "red", "draft")
        (came,) = await house.rows(incoming)
        assert (came.source, came.kind, bytes(came.original)) == ("seismic", "seismic", b"us1 at minute 1")
        assert len(came.regions) >= 12

    async def test_an_update_takes_the_place_of_the_draft_and_a_cancel_withdraws_it(self, house):
        await house.take("usgs", solution("us1"), minute=1)
        await house.take("usgs", solution("us1", magnitude=6.1, minute=2), minute=2)
        await house.take("usgs", solution("us1", withdrawn=True, minute=3), minute=3)
        assert [row.state for row in await house.rows(alerts)] == ["withdrawn", "withdrawn"]

    async def test_one_source_alone_is_never_released_by_rule(self, database, clock):
        house = House(database, clock, "release")
        await house.take("usgs", solution("us1", magnitude=6.0), minute=1)
        assert house.taken[0].state in {"submitted", "drafted"}
        assert not await released(house)

    async def test_two_that_agree_are_released_by_rule_and_taken_back_with_the_last(self, database, clock):
        house = House(database, clock, "release")
        await house.take("usgs", solution("us1"), minute=1)
        await house.take("emsc", solution("em1", agency="emsc", seconds=2), minute=2)
        assert house.taken[0].state == "released"
        assert len(await released(house)) == 1
        await house.take("usgs", solution("us1", withdrawn=True, minute=3), minute=3)
        assert len(await released(house)) == 1
        await house.take("emsc", solution("em1", agency="emsc", withdrawn=True, minute=3), minute=3)
        assert [row.msg_type for row in await house.rows(alerts) if row.state == "released"] == ["Cancel"]

    async def test_two_quakes_3_seconds_and_350_km_apart_release_nothing(self, database, clock):
        house = House(database, clock, "release")
        await house.take("usgs", solution("us1", km=-175, magnitude=7.0), minute=1)
        other = solution("em1", agency="emsc", seconds=3, km=175, magnitude=7.0)
        await house.take("emsc", other, minute=1)
        assert await house.inbox() == [("quake-1-1", "submitted"), ("quake-2-1", "submitted")]
        assert not await released(house)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"magnitude": 8.6}, "quake_magnitude_high"),
            ({"seconds": -700}, "quake_old"),
            ({"depth_km": -8.0}, "quake_depth_odd"),
        ],
    )
    async def test_what_is_doubtful_is_held(self, database, clock, changes, code):
        house = House(database, clock, "release")
        await house.take("usgs", solution("us1", **changes), minute=1)
        assert await house.findings() == [code]
        assert house.taken[0].state == "held"
        assert not await released(house)

    async def test_an_unofficial_source_is_held_whatever_the_rule(self, database, clock):
        house = House(database, clock, "release")
        await house.take("wolfx", solution("cenc:1", agency="cenc", magnitude=8.1), minute=1)
        assert house.taken[0].state == "held"
        await house.take("nobody", solution("xx1", km=-250, seconds=300, magnitude=7.5), minute=7)
        assert house.taken[0].state == "held"

    async def test_a_report_that_the_inbox_did_not_get_is_handed_over_later(self, house):
        class Away:
            async def take(self, *_: object):
                raise ConnectionError("the invented inbox is away")

        settings = configured()
        broken = Seismology(house.database, Away(), settings, open_setup(settings))
        house.clock.advance(60)
        with pytest.raises(ConnectionError):
            await broken.take("usgs", [solution("us1")], at=house.clock.now())
        assert await house.inbox() == []
        taken = await house.seismology.hand_over(house.clock.now())
        assert [one.state for one in taken] == ["drafted"]
        assert await house.seismology.hand_over(house.clock.now()) == []


class TestDeep:
    async def test_a_deep_earthquake_raises_an_alarm_and_no_warning(self, house):
        assert await house.take("usgs", solution("us1", depth_km=150.0, magnitude=6.5), minute=1) == []
        assert await house.alarms() == [("quake 1", "quake_deep")]


class TestOdd:
    async def test_texts_that_no_database_can_hold_are_taken(self, house):
        odd = solution("us1", ids=("us\x001", "a\ud800"), place="x\x00y", version="\x00")
        assert await house.take("usgs", odd, minute=1) == ["Alert quake-1-1 M5.5"]

    async def test_a_withdrawal_of_what_nobody_knows_says_nothing(self, house):
        gone = solution("us1", time=None, lat=None, lon=None, magnitude=None, withdrawn=True)
        assert await house.take("usgs", gone, minute=1) == []
        assert await house.states() == [(1, "withdrawn")]
        assert await house.take("usgs", solution("us1", minute=0.5), minute=2) == []

    async def test_nothing_is_taken_of_an_empty_document(self, house):
        assert await house.take("usgs") == []
        assert await house.take("usgs", solution("us1", ids=())) == []

    async def test_a_source_without_versions_may_say_again_what_it_said_before(self, house):
        for number, magnitude in enumerate((5.5, 5.9, 5.5)):
            await house.take("wolfx", solution("cenc:1", magnitude=magnitude, minute=None), minute=1 + number)
        kinds = [row.alert["msg_type"] for row in await house.rows(seismic_warnings)]
        assert kinds == [MsgType.ALERT, MsgType.UPDATE, MsgType.UPDATE]

    async def test_townships_without_a_point_are_placed_inside_their_border(self, house):
        async with house.database.begin() as connection:
            await connection.execute(
                text("UPDATE regions SET lon = NULL, lat = NULL WHERE level = 'township'")
            )
        assert await house.take("usgs", solution("us1"), minute=1) == ["Alert quake-1-1 M5.5"]

    async def test_without_any_township_events_are_kept_and_nobody_is_warned(self, house):
        async with house.database.begin() as connection:
            await connection.execute(
                text("UPDATE regions SET lon = NULL, lat = NULL, geometry = NULL WHERE level = 'township'")
            )
        assert await house.take("usgs", solution("us1"), minute=1) == []
        assert await house.states() == [(1, "open")]


async def released(house):
    return [row.id for row in await house.rows(alerts) if row.state == "released"]
