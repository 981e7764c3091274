"""Numbers and times of strangers, and the solution they make."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from gateway.feeds.solving import (
    Entry,
    EntryRefused,
    agency_name,
    collect,
    features,
    json_object,
    names,
    number,
    solve,
    utc,
    words,
)

AT = datetime(2026, 3, 1, 4, 12, 4, tzinfo=UTC)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def solved(entry=None, **values):
    usual = {"agency": "tst", "ids": ["tst1"], "original": b"{}", "time": AT, "lat": 31.2, "lon": 103.5}
    return solve(entry or Entry("event"), **(usual | {"magnitude": 5.0} | values))


def codes(solution):
    return [one.code for one in solution.findings]


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "read"),
        [
            (5, 5.0),
            ("5.0", 5.0),
            (" -1.2 ", -1.2),
            ("+.5", 0.5),
            ("1e2", 100.0),
            ("5.", 5.0),
            ("14.2" + "0" * 50, 14.2),
            (10**400, None),
            (math.nan, None),
            (math.inf, None),
            ("NaN", None),
            ("1_000", None),
            ("5,0", None),
            ("５", None),
            ("0x10", None),
            ("1e999", None),
            ("", None),
            (True, None),
            (None, None),
            ([5], None),
        ],
    )
    def test_a_number_is_digits_and_nothing_else(self, value, read):
        assert number(value) == read

    @given(ANYTHING)
    def test_anything_is_a_finite_number_or_none(self, value):
        read = number(value)
        assert read is None or math.isfinite(read)


class TestTimes:
    @pytest.mark.parametrize(
        "text",
        [
            "2026-03-01T04:12:04Z",
            "2026-03-01T04:12:04",
            "2026-03-01 04:12:04",
            "2026/03/01 04:12:04",
            "2026-03-01T04:12:04.",
            "2026-03-01T04:12:04.000000000Z",
            "2026-03-01T12:12:04+08:00",
            "2026-03-01T12:12:04+0800",
            "2026-02-28T20:12:04-08:00",
            "2026-03-01 04:12:04 UTC",
        ],
    )
    def test_the_forms_of_the_sources_are_read(self, text):
        assert utc(text) == AT

    def test_a_time_without_an_offset_is_in_the_zone_of_its_source(self):
        assert utc("2026-03-01 12:12:04", timezone(timedelta(hours=8))) == AT

    def test_decimals_are_kept_to_the_microsecond(self):
        assert utc("2026-03-01T04:12:04.1234567") == AT + timedelta(microseconds=123456)

    def test_second_60_is_the_next_minute(self):
        assert utc("2026-03-01T04:11:60") == datetime(2026, 3, 1, 4, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        "text",
        [
            *("", "not-a-time", "2026-02-30T00:00:00", "2026-03-01T25:00:00", "2026-03-01T04:12:61"),
            *("0001-01-01T00:00:00", "9999-12-31T23:59:59", "1899-12-31T23:59:59", "2026-03-01"),
            *("2026-03-01T04:12:04+99:99", "2026-03-01T04:12:04 EST", "２０２６-03-01T04:12:04"),
        ],
    )
    def test_whatever_is_no_time_is_none(self, text):
        assert utc(text) is None

    @given(st.text(alphabet="0123456789-/: T.Z+", max_size=30))
    def test_anything_like_a_time_is_in_range_or_none(self, text):
        read = utc(text)
        assert read is None or 1900 <= read.year < 2200

    @given(st.datetimes(AT.replace(1901, tzinfo=None), AT.replace(2199, tzinfo=None)), st.integers(-14, 14))
    def test_a_time_survives_being_written_with_any_offset(self, at, hours):
        written = at.replace(tzinfo=timezone(timedelta(hours=hours)))
        assert utc(written.isoformat()) == written

    def test_milliseconds_out_of_range_are_left_out(self):
        entry = Entry("event")
        assert entry.millis("time", 1460488821660) == datetime(2016, 4, 12, 19, 20, 21, 660000, tzinfo=UTC)
        assert entry.millis("time", 99999999999999999999) is None
        assert [one.code for one in entry.findings] == ["value_dropped"]


class TestNames:
    @pytest.mark.parametrize(
        ("text", "agency"),
        [
            ("US", "us"),
            ("WEL(GNS_Test)", "geonet"),
            ("NEIC", "us"),
            ("INGV-OV", "ingv-ov"),
            ("", ""),
            ("--", ""),
            (None, ""),
            ("中国", ""),
        ],
    )
    def test_an_agency_has_one_name(self, text, agency):
        assert agency_name(text) == agency

    def test_a_bare_number_is_put_behind_its_agency(self):
        assert names(["40271581", "us7000abcd"], "ingv") == ("ingv:40271581", "us7000abcd")

    def test_each_name_comes_once_and_empty_ones_never(self):
        assert names(["a1", "", None, " a1 ", "b2", ["c"]], "us") == ("a1", "b2")

    def test_texts_are_on_one_line_and_bounded(self):
        assert words("5 km\n of\x00 Here\t") == "5 km of Here"
        assert len(words("x" * 10_000)) == 200


class TestSolutions:
    def test_a_solution_has_what_it_was_given(self):
        solution = solved(depth_km="10", magnitude_type="mww", place="Here", version=3)
        assert (solution.depth_km, solution.magnitude, solution.version) == (10.0, 5.0, "3")
        assert solution.findings == ()

    @pytest.mark.parametrize("missing", [{"lat": None}, {"lon": ""}, {"time": None}])
    def test_without_place_or_time_it_is_refused(self, missing):
        with pytest.raises(EntryRefused) as refused:
            solved(**missing)
        assert refused.value.code == "no_origin"

    @pytest.mark.parametrize("wrong", [{"lat": 95}, {"lon": 400}, {"lat": "north"}, {"lon": [1]}])
    def test_a_place_that_cannot_be_is_refused(self, wrong):
        with pytest.raises(EntryRefused) as refused:
            solved(**wrong)
        assert refused.value.code == "item_malformed"

    @pytest.mark.parametrize("missing", [{"lat": None}, {"time": None}, {"lat": 95}])
    def test_a_withdrawal_needs_neither_place_nor_time(self, missing):
        assert solved(withdrawn=True, **missing).withdrawn

    def test_without_a_name_it_is_refused(self):
        with pytest.raises(EntryRefused) as refused:
            solved(ids=["", None])
        assert refused.value.code == "item_malformed"

    def test_longitudes_beyond_180_are_turned(self):
        assert solved(lon=181.5).lon == -178.5
        assert solved(lon=180).lon == 180

    @pytest.mark.parametrize(
        ("depth", "read", "code"),
        [
            (631.3, 631.3, None),
            (-1.2, -1.2, None),
            (None, None, None),
            (0, 0.0, None),
            (5000, None, "depth_impossible"),
            (-50, None, "depth_impossible"),
            ("deep", None, "value_dropped"),
        ],
    )
    def test_a_depth_that_cannot_be_is_left_out(self, depth, read, code):
        solution = solved(depth_km=depth)
        assert solution.depth_km == read
        assert codes(solution) == ([code] if code else [])

    @pytest.mark.parametrize("magnitude", [11, -3, "big", True])
    def test_a_magnitude_that_cannot_be_is_left_out(self, magnitude):
        solution = solved(magnitude=magnitude)
        assert solution.magnitude is None
        assert "magnitude_missing" in codes(solution)

    @pytest.mark.parametrize("kind", ["", "earthquake", "Earthquake", "induced or triggered event"])
    def test_what_shakes_as_an_earthquake_is_one(self, kind):
        assert solved(event_type=kind).event_type == "earthquake"

    def test_what_is_none_keeps_its_type_with_a_finding(self):
        solution = solved(event_type="Quarry_Blast")
        assert solution.event_type == "quarry blast"
        assert codes(solution) == ["not_an_earthquake"]

    @given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
    def test_any_values_are_answered_or_refused(self, lat, lon, depth, magnitude, kind):
        try:
            solution = solved(lat=lat, lon=lon, depth_km=depth, magnitude=magnitude, event_type=kind)
        except EntryRefused:
            return
        assert -90 <= solution.lat <= 90
        assert -180 <= solution.lon <= 180
        assert solution.depth_km is None or -10 <= solution.depth_km <= 800
        assert solution.magnitude is None or -2 <= solution.magnitude <= 10.5


class TestReading:
    def test_one_that_is_refused_is_a_finding_and_the_others_come_out(self):
        reading = collect("usgs", [(Entry("a"), lambda entry: solved(entry, lat=99)), (Entry("b"), solved)])
        assert len(reading.solutions) == 1
        assert [(one.code, one.path) for one in reading.findings] == [("item_malformed", "a")]

    def test_many_that_are_refused_are_counted(self):
        reading = collect("usgs", [(Entry(str(at)), lambda entry: solved(entry, ids=[])) for at in range(50)])
        assert len(reading.findings) == 21
        assert "30 more" in reading.findings[-1].message

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"<html>sorry</html>", "error_page"),
            (b'{"features": [{"id"', "feed_truncated"),
            (b"", "feed_truncated"),
            (b'{"features": [}', "json_malformed"),
            (b"[1,2,3]", "feed_malformed"),
            (b'{"a": NaN}', "json_not_finite"),
        ],
    )
    def test_what_is_no_json_object_is_refused(self, body, code):
        with pytest.raises(FeedRefused) as refused:
            json_object(Document(body))
        assert refused.value.code == code

    def test_a_document_without_features_is_refused(self):
        with pytest.raises(FeedRefused):
            features({"metadata": {"count": 0}})
