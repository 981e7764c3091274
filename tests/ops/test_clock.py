from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.clock import SYSTEM, HandClock


def test_the_system_s_clock_is_aware_and_in_utc():
    assert SYSTEM.now().tzinfo is UTC
    assert SYSTEM.monotonic() <= SYSTEM.monotonic()


def test_a_hand_clock_moves_only_when_it_is_moved():
    clock = HandClock(datetime(2026, 11, 22, 8, tzinfo=timezone(timedelta(hours=8))))
    before = clock.now()
    clock.advance(90)
    assert (before, clock.now()) == (
        datetime(2026, 11, 22, 0, 0, tzinfo=UTC),
        datetime(2026, 11, 22, 0, 1, 30, tzinfo=UTC),
    )
    assert clock.monotonic() == 90


def test_a_clock_takes_no_naive_time_and_does_not_run_back():
    with pytest.raises(ValueError, match="time zone"):
        HandClock(datetime(2026, 11, 22))  # noqa: DTZ001 - this is what is refused
    with pytest.raises(ValueError, match="run back"):
        HandClock(datetime(2026, 11, 22, tzinfo=UTC)).advance(-1)
