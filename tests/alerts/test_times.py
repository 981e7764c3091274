from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.alerts.times import EARLIEST, LATEST, TimeRefused, read_time, settle, write_time


class TestReading:
    @pytest.mark.parametrize(
        ("text", "instant", "oddities"),
        [
            ("2026-07-01T08:00:00+08:00", "2026-07-01T00:00:00", ()),
            ("2026-07-01T00:00:00-00:00", "2026-07-01T00:00:00", ()),
            ("2026-07-01T00:00:00+00:00", "2026-07-01T00:00:00", ("time_plus_zero",)),
            ("2026-07-01T00:00:00Z", "2026-07-01T00:00:00", ("time_zulu",)),
            ("2026-07-01T00:00:00.999Z", "2026-07-01T00:00:00", ("time_zulu", "time_fraction")),
            ("2026-06-30T24:00:00-00:00", "2026-07-01T00:00:00", ("time_hour_24",)),
            ("2024-02-29T18:15:00-05:45", "2024-03-01T00:00:00", ()),
        ],
    )
    def test_it_takes_what_is_certain(self, text, instant, oddities):
        read = read_time(text)
        assert read.value == datetime.fromisoformat(instant).replace(tzinfo=UTC)
        assert read.oddities == oddities

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "yesterday",
                "2026-02-30T00:00:00+08:00",
                "2026-07-01 08:00:00+08:00",
                "2026-07-01T08:00:00+0800",
            ),
            *("2026-07-01T08:00:00,08:00", "2026-07-01T08:00:00+14:01", "2026-07-01T08:00:00+08:60"),
            *("2026-07-01T24:00:01-00:00", "2026-07-01T08:00:60+08:00", "２026-07-01T08:00:00+08:00"),
            *("0000-01-01T00:00:00-00:00", "2026-07-01T08:00+08:00", " 2026-07-01T08:00:00+08:00"),
        ],
    )
    def test_it_refuses_what_is_not(self, text):
        with pytest.raises(TimeRefused) as caught:
            read_time(text)
        assert caught.value.code == "time_malformed"

    def test_a_missing_offset_is_never_guessed(self):
        with pytest.raises(TimeRefused) as caught:
            read_time("2026-07-01T08:00:00")
        assert caught.value.code == "time_without_offset"

    @pytest.mark.parametrize(
        ("text", "held"),
        [
            ("0001-01-01T00:00:00+14:00", EARLIEST),
            ("9999-12-31T23:59:59-14:00", LATEST),
            ("9999-12-31T24:00:00-00:00", LATEST),
        ],
    )
    def test_the_ends_of_the_calendar_do_not_overflow(self, text, held):
        read = read_time(text)
        assert read.value == held
        assert "time_out_of_range" in read.oddities
        for hours in (-14, 14):
            read.value.astimezone(timezone(timedelta(hours=hours)))


class TestWriting:
    @pytest.mark.parametrize(
        "text", ["2026-07-01T08:00:00+08:00", "2026-07-01T00:00:00-00:00", "0999-07-01T00:00:00-03:30"]
    )
    def test_what_is_read_is_written_the_same(self, text):
        assert write_time(read_time(text).value) == text

    def test_an_offset_that_cap_cannot_write_keeps_its_instant(self):
        odd = datetime(2026, 7, 1, 8, tzinfo=timezone(timedelta(hours=8, seconds=7)))
        assert read_time(write_time(settle(odd))).value == odd
