"""EMSC: pushed messages, and what is asked for after a silence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.adapters import adapter
from gateway.feeds.adapters.emsc import backfill_query
from gateway.feeds.contract import FeedRefused
from tests.feeds.contract import AdapterContract, assert_holds
from tests.feeds.strangers import JSON, bad

FIRST = "emsc_ws/create_panama_20241004.json"
UPDATED = "emsc_ws/synthetic_update_same_unid.json"
GONE = "emsc_ws/synthetic_delete.json"


def feature(**changes):
    about = {
        "unid": "20260301_0000001",
        "time": "2026-03-01T04:12:04.8Z",
        "lastupdate": "2026-03-01T04:15:00.5Z",
        "flynn_region": "INVENTED REGION",
        "lat": 31.2,
        "lon": 103.5,
        "depth": 10.0,
        "evtype": "ke",
        "auth": "TST",
        "mag": 5.4,
        "magtype": "mb",
    }
    point = {"type": "Point", "coordinates": changes.pop("coordinates", [103.5, 31.2, -10.0])}
    return {"type": "Feature", "geometry": point, "properties": about | changes}


def pushed(action="create", **changes):
    return json.dumps({"action": action, "data": feature(**changes)}).encode()


def answered(*found):
    return json.dumps({"type": "FeatureCollection", "features": list(found)}).encode()


class TestEmsc(AdapterContract):
    KIND = "emsc"
    GOOD = (
        FIRST,
        UPDATED,
        GONE,
        "emsc_ws/create_official_20250305.json",
        "emsc_ws/synthetic_explosion.json",
        "emsc_ws/synthetic_update_without_create.json",
    )
    MADE: ClassVar = {"answer": answered(feature(), feature(unid="20260301_0000002"))}
    EXPECTED: ClassVar = {
        FIRST: [
            {
                "ids": ["20241004_0000179"],
                "agency": "ucr",
                "time": "2024-10-04T16:28:30+00:00",
                "lat": 9.02,
                "lon": -82.876,
                "depth_km": 20.0,
                "magnitude": 3.1,
                "magnitude_type": "m",
                "place": "PANAMA-COSTA RICA BORDER REGION",
                "withdrawn": False,
                "findings": [],
            }
        ],
        UPDATED: [{"ids": ["20241004_0000179"], "magnitude": 3.9, "depth_km": 12.0, "withdrawn": False}],
        GONE: [{"ids": ["20241004_0000179"], "withdrawn": True}],
        "emsc_ws/synthetic_explosion.json": [
            {"event_type": "explosion", "depth_km": 0.0, "findings": ["not_an_earthquake"]}
        ],
        "emsc_ws/synthetic_update_without_create.json": [{"agency": "emsc", "depth_km": 190.0}],
        "answer": [{"ids": ["20260301_0000001"]}, {"ids": ["20260301_0000002"]}],
    }

    def only(self, **changes):
        (solution,) = self.read(pushed(**changes)).solutions
        return solution

    def test_it_is_a_websocket_that_the_protocol_keeps_alive(self):
        assert (adapter("emsc").transport, adapter("emsc").ping) == ("websocket", "")

    def test_each_message_of_an_event_is_later_than_the_one_before(self, samples):
        found = [self.read(samples[name]).solutions[0] for name in (FIRST, UPDATED, GONE)]
        assert len({one.ids for one in found}) == 1
        assert [one.updated for one in found] == sorted({one.updated for one in found})

    @pytest.mark.parametrize(
        ("letters", "event_type", "codes"),
        [
            ("ke", "earthquake", []),
            ("se", "earthquake", []),
            ("de", "earthquake", []),
            ("ki", "earthquake", []),
            ("kx", "explosion", ["not_an_earthquake"]),
            ("sm", "mining explosion", ["not_an_earthquake"]),
            ("kr", "rock burst", ["not_an_earthquake"]),
            ("kn", "nuclear explosion", ["not_an_earthquake"]),
            ("ls", "landslide", ["not_an_earthquake"]),
            ("", "earthquake", []),
            (None, "earthquake", []),
            ("k?", "earthquake", ["value_dropped"]),
            (7, "earthquake", ["value_dropped"]),
        ],
    )
    def test_what_the_letters_mean(self, letters, event_type, codes):
        solution = self.only(evtype=letters)
        assert solution.event_type == event_type
        assert [one.code for one in solution.findings] == codes

    def test_the_third_coordinate_is_a_height(self):
        assert self.only(depth=None, coordinates=[103.5, 31.2, -33.0]).depth_km == 33.0
        assert self.only(depth=None, coordinates=[103.5, 31.2]).depth_km is None

    def test_the_place_may_be_in_the_geometry_only(self):
        solution = self.only(lat=None, lon=None)
        assert (solution.lat, solution.lon) == (31.2, 103.5)

    def test_a_time_may_have_an_offset(self):
        assert self.only(time="2026-03-01T12:12:04+08:00").time == datetime(2026, 3, 1, 4, 12, 4, tzinfo=UTC)

    def test_what_is_passed_on_is_the_agencys_own(self):
        assert self.only(auth="NEIC").agency == "us"
        assert self.only(auth=None).agency == "emsc"

    @pytest.mark.parametrize(
        "body",
        [
            b'{"action":"create","data":"oops"}',
            b'{"action":"create"}',
            b'{"action":"create","data":{}}',
            b'{"action":"explode","data":{"properties":{"unid":"1"}}}',
            b'{"action":["create"],"data":[]}',
            pushed(unid=""),
        ],
    )
    def test_messages_of_another_shape_are_findings(self, body):
        reading = self.read(body)
        assert not reading.solutions
        assert [one.code for one in reading.findings] == ["item_malformed"]

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("emsc_not_object", "feed_malformed"),
            ("json_duplicate_keys", "json_duplicate_key"),
            ("json_lone_surrogate", "json_surrogate"),
        ],
    )
    def test_messages_that_are_no_object_are_refused(self, corpus, name, code):
        with pytest.raises(FeedRefused) as refused:
            self.read(bad(corpus)[name])
        assert refused.value.code == code

    def test_an_event_of_an_answer_can_be_read_again(self, samples):
        for one in self.read(samples["answer"]).solutions:
            assert self.read(one.original).solutions == [one]

    @given(JSON, JSON, JSON, JSON, st.sampled_from(["create", "update", "delete"]))
    def test_any_values_are_answered(self, unid, time, mag, lat, action):
        assert_holds(self.read(pushed(action, unid=unid, time=time, mag=mag, lat=lat)))

    @given(JSON)
    def test_any_data_is_answered(self, data):
        assert_holds(self.read(json.dumps({"action": "update", "data": data}).encode()))


class TestBackfill:
    def test_it_asks_for_a_day_before_the_silence_in_utc(self):
        since = datetime(2026, 3, 2, 8, 0, 30, 123, tzinfo=timezone(timedelta(hours=8)))
        asked = parse_qs(backfill_query(since))
        assert asked["starttime"] == ["2026-03-01T00:00:30"]
        assert asked["format"] == ["json"]
        assert asked["limit"] == ["500"]
