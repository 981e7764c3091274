"""Earthquakes of China and Japan as third parties republish them."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.adapters import adapter
from gateway.feeds.contract import FeedRefused
from tests.feeds.contract import AdapterContract, assert_holds
from tests.feeds.strangers import JSON

LIST = "china/wolfx_cenc_eqlist.json"
WARNING = "china/wolfx_cenc_eew.json"
SICHUAN = "china/wolfx_sc_eew.json"
JAPAN = "china/wolfx_jma_eew.json"
JAPAN_CANCELLED = "china/wolfx_jma_eew_cancel.json"
FAN_CENC = "china/fan_cenc.json"
FAN_CEA = "china/fan_cea.json"
ASSUMED = ["unofficial", "time_zone_assumed"]


def warning(**changes):
    usual = {
        "type": "sc_eew",
        "EventID": "20260301121204_1",
        "ReportTime": "2026-03-01 12:12:20",
        "ReportNum": 1,
        "OriginTime": "2026-03-01 12:12:04",
        "HypoCenter": "虚构",
        "Latitude": 31.2,
        "Longitude": 103.5,
        "Magunitude": 4.8,
        "Depth": None,
    }
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def sent(body):
    return json.dumps(body).encode()


def entry(**changes):
    usual = {
        "type": "reviewed",
        "EventID": "CC.20260301122000.2",
        "time": "2026-03-01 12:12:04",
        "ReportTime": "2026-03-01 12:20:00",
        "placeName": "虚构",
        "magnitude": "5.0",
        "depth": "10",
        "latitude": "31.2",
        "longitude": "103.5",
        "intensity": "6",
    }
    return usual | changes


JMA_LIST = {
    "No1": {
        "Title": "震源・震度情報",
        "EventID": "20260301131200",
        "time": "2026/03/01 13:12",
        "time_full": "2026/03/01 13:12:00",
        "location": "虚構沖",
        "magnitude": "5.4",
        "shindo": "4",
        "depth": "20km",
        "latitude": "28.5",
        "longitude": "129.7",
        "info": "",
    },
    "md5": "0",
}


class TestRepublished(AdapterContract):
    KIND = "cenc"
    GOOD = (LIST, WARNING, SICHUAN, JAPAN, JAPAN_CANCELLED, FAN_CENC, FAN_CEA, "china/wolfx_heartbeat.json")
    MADE: ClassVar = {"jma list": sent({"type": "jma_eqlist"} | JMA_LIST)}
    EXPECTED: ClassVar = {
        LIST: [
            {
                "ids": ["cenc:20260601121204"],
                "agency": "cenc",
                "time": "2026-06-01T04:12:04+00:00",
                "lat": 31.21,
                "lon": 103.48,
                "depth_km": 10.0,
                "magnitude": 5.0,
                "place": "合成测试地区",
                "review": "reviewed",
                "findings": ASSUMED,
            },
            {"magnitude": 3.4, "review": "automatic"},
        ],
        WARNING: [
            {
                "ids": ["cea:202606010412.0001"],
                "agency": "cea",
                "time": "2026-06-01T04:12:05+00:00",
                "depth_km": None,
                "magnitude": 5.1,
                "review": "automatic",
                "status": "Actual",
                "findings": ASSUMED,
            }
        ],
        SICHUAN: [{"ids": ["sc:20260601121205", "sc:20260601121205_1"], "magnitude": 4.8, "agency": "sc"}],
        JAPAN: [
            {
                "ids": ["jma:20260601131200"],
                "time": "2026-06-01T04:12:00+00:00",
                "magnitude": 6.8,
                "depth_km": 10.0,
                "place": "合成沖",
                "withdrawn": False,
            }
        ],
        JAPAN_CANCELLED: [{"ids": ["jma:20260601131200"], "withdrawn": True}],
        FAN_CENC: [
            {
                "ids": [
                    "cenc:CC.20260601121204.000",
                    "cenc:CC.20260601121204.000_I",
                    "cenc:20260601121204",
                ],
                "agency": "cenc",
                "review": "reviewed",
                "time": "2026-06-01T04:12:04+00:00",
            }
        ],
        FAN_CEA: [{"ids": ["cea:202606011212.0001"], "agency": "cea", "review": "automatic"}],
        "jma list": [
            {
                "ids": ["jma:20260301131200"],
                "time": "2026-03-01T04:12:00+00:00",
                "depth_km": 20.0,
                "magnitude": 5.4,
                "review": "reviewed",
            }
        ],
    }

    def only(self, **changes):
        (solution,) = self.read(sent(warning(**changes))).solutions
        return solution

    def test_it_is_not_official_and_says_so_each_time(self, samples):
        assert not adapter("cenc").official
        for data in samples.values():
            for one in self.read(data).solutions:
                assert "unofficial" in [each.code for each in one.findings]

    def test_a_heartbeat_is_a_sign_of_life_with_a_stamp(self, samples):
        reading = self.read(samples["china/wolfx_heartbeat.json"])
        assert reading.heartbeat
        assert not reading.solutions
        assert reading.generated == datetime(2026, 6, 1, 4, tzinfo=UTC)

    def test_the_reports_of_a_warning_follow_each_other(self, samples):
        found = [self.read(samples[name]).solutions[0] for name in (JAPAN, JAPAN_CANCELLED)]
        assert [one.version for one in found] == ["3", "4"]
        assert found[0].updated < found[1].updated
        assert found[0].ids == found[1].ids

    @pytest.mark.parametrize("spelling", ["Magnitude", "Magunitude"])
    def test_both_spellings_of_the_magnitude_are_read(self, spelling):
        assert self.only(**{"Magunitude": ..., spelling: "4.8"}).magnitude == 4.8

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({}, "Actual"),
            ({"isTraining": True}, "Exercise"),
            ({"isTraining": "true"}, "Exercise"),
            ({"isTraining": False}, "Actual"),
            ({"Issue": {"Status": "通常"}}, "Actual"),
            ({"Issue": {"Status": "訓練"}}, "Exercise"),
            ({"Issue": {"Status": "試験"}}, "Test"),
        ],
    )
    def test_exercises_and_tests_are_marked(self, changes, status):
        assert self.only(**changes).status == status

    def test_an_assumed_hypocentre_has_no_magnitude_and_depth(self):
        solution = self.only(isAssumption=True, Magunitude=1.0, Depth=10)
        assert (solution.magnitude, solution.depth_km) == (None, None)
        assert "value_dropped" in [one.code for one in solution.findings]

    def test_the_number_behind_an_id_may_change(self):
        one, other = self.only(EventID="20260301121204_1"), self.only(EventID="20260301121204_2", ReportNum=2)
        assert one.ids[0] == other.ids[0]

    @pytest.mark.parametrize(
        ("name", "agency"),
        [("cenc_eew", "cea"), ("sc_eew", "sc"), ("fj_eew", "fj"), ("cq_eew", "cq"), ("cwa_eew", "cwa")],
    )
    def test_over_http_the_address_says_what_it_is(self, name, agency):
        data = sent(warning(type=...))
        reading = self.read(data, f"https://api.example.org/{name}.json")
        assert reading.solutions[0].agency == agency
        assert self.read(reading.solutions[0].original).solutions[0].agency == agency

    def test_without_address_and_type_a_warning_of_china_is_refused(self):
        with pytest.raises(FeedRefused):
            self.read(sent(warning(type=...)))

    def test_without_address_and_type_lists_and_japan_are_known_by_their_shape(self):
        assert self.read(sent({"No1": entry()})).solutions[0].agency == "cenc"
        assert self.read(sent(JMA_LIST)).solutions[0].agency == "jma"
        japanese = warning(type=..., Hypocenter="虚構", HypoCenter=..., Serial=2, ReportNum=...)
        assert self.read(sent(japanese)).solutions[0].agency == "jma"

    def test_an_automatic_entry_and_its_review_share_a_name(self):
        automatic = entry(type="automatic", EventID="CD.20260301121500.1", ReportTime="2026-03-01 12:15:00")
        before, after = (
            self.read(sent({"type": "cenc_eqlist", "No1": one})).solutions[0] for one in (automatic, entry())
        )
        assert set(before.ids) & set(after.ids) == {"cenc:20260301121204"}
        assert before.updated < after.updated

    def test_fifty_entries_are_read_and_a_bad_one_is_a_finding(self):
        body = {f"No{at}": entry(time=f"2026-03-01 12:{at:02}:04") for at in range(1, 50)}
        reading = self.read(sent({"type": "cenc_eqlist"} | body | {"No50": entry(latitude="north")}))
        assert len(reading.solutions) == 49
        assert [(one.code, one.path) for one in reading.findings] == [("item_malformed", "No50")]

    def test_what_fan_sends_first_has_one_message_per_source(self, samples):
        one, other = (json.loads(samples[name]) for name in (FAN_CENC, FAN_CEA))
        weather = {"Data": {"headline": "虚构"}, "md5": "0"}
        first = {"type": "initial_all", "cenc": one, "cea": other, "weatheralarm": weather}
        assert [each.agency for each in self.read(sent(first)).solutions] == ["cenc", "cea"]

    def test_other_sources_of_fan_are_passed_over(self):
        reading = self.read(sent({"type": "update", "source": "weatheralarm", "Data": {"headline": "虚构"}}))
        assert (reading.solutions, reading.findings) == ([], [])

    def test_a_weather_warning_of_fan_is_refused(self, corpus):
        with pytest.raises(FeedRefused):
            self.read((corpus / "china/fan_weatheralarm.json").read_bytes())

    def test_each_solution_can_be_read_again(self, samples):
        for data in samples.values():
            for one in self.read(data).solutions:
                again = self.read(one.original).solutions[0]
                assert (again.ids, again.time, again.agency) == (one.ids, one.time, one.agency)

    @given(JSON, JSON, JSON, JSON, st.sampled_from(["cenc_eew", "jma_eew", "sc_eew"]))
    def test_any_values_of_a_warning_are_answered(self, event, time, magnitude, lat, kind):
        made = warning(type=kind, EventID=event, OriginTime=time, Magunitude=magnitude, Latitude=lat)
        assert_holds(self.read(sent(made)))

    @given(JSON, JSON)
    def test_any_entry_leaves_the_good_one_alone(self, broken, time):
        body = {"type": "cenc_eqlist", "No1": broken, "No2": entry(time=time), "No3": entry()}
        reading = self.read(sent(body))
        assert_holds(reading)
        assert reading.solutions[-1].magnitude == 5.0

    @given(st.dictionaries(st.sampled_from(["Data", "source", "type", "cea", "No1", "md5"]), JSON))
    def test_any_message_is_answered_or_refused(self, body):
        with contextlib.suppress(FeedRefused):
            assert_holds(self.read(sent(body)))
