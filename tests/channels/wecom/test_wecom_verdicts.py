from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Accepted, Rejected, Retry, Throttled, Unknown
from channels.wecom.pace import WINDOW, Pace
from channels.wecom.verdicts import (
    CODES,
    MOST_BUSY,
    REMEMBERED,
    Busy,
    by_body,
    by_status,
    is_listed,
    redacted,
)

KEY = "00000000-invented-robot-00000001"

BY_CODE = {
    0: Accepted(("ref",)),
    -1: Retry(5.0, "-1"),
    40008: Rejected("40008"),
    40058: Rejected("40058"),
    44004: Rejected("44004"),
    45002: Rejected("45002"),
    45009: Throttled(60.0, "45009"),
    45033: Throttled(5.0, "45033"),
    93000: Rejected("93000"),
    93004: Rejected("93004"),
    99999: Retry(30.0, "99999"),
}
BY_STATUS = {
    200: None,
    201: Unknown("http-201"),
    204: Unknown("http-204"),
    301: Retry(30.0, "http-301"),
    302: Retry(30.0, "http-302"),
    400: Retry(30.0, "http-400"),
    403: Retry(30.0, "http-403"),
    404: Retry(30.0, "http-404"),
    408: Unknown("http-408"),
    413: Rejected("http-413"),
    429: Throttled(60.0, "http-429"),
    500: Unknown("http-500"),
    502: Unknown("http-502"),
    503: Retry(5.0, "http-503"),
    504: Unknown("http-504"),
    520: Unknown("http-520"),
}


class TestErrcode:
    @pytest.mark.parametrize(("code", "outcome"), BY_CODE.items())
    def test_each_errcode_has_its_outcome_whatever_the_message_says(self, code, outcome):
        for errmsg in ("ok", "frequency limit", ""):
            assert by_body(json.dumps({"errcode": code, "errmsg": errmsg}).encode(), "ref") == outcome

    def test_the_table_of_this_test_knows_every_code_of_the_adapter(self):
        assert set(CODES) | {0, 99999} == set(BY_CODE)
        assert all(is_listed(str(code)) for code in CODES)
        assert not is_listed("99999")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"ok",
            b"[]",
            b"0",
            b"null",
            b"{}",
            b'{"errmsg":"ok"}',
            b'{"errcode":"0"}',
            b'{"errcode":0.0}',
            b'{"errcode":true}',
            b'{"errcode":null}',
            b'{"errcode":9999999999}',
            b'{"errcode":' + b"9" * 5000 + b"}",
            b"\xff\xfe",
            b'{"errcode":0',
            b"[" * 100_000,
        ],
        ids=lambda body: ascii(body[:20]),
    )
    def test_a_body_that_is_not_the_vendors_proves_nothing(self, body):
        assert by_body(body, "ref") == Unknown("garbage")

    @given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
    def test_no_body_can_break_the_judgement_or_pass_for_accepted(self, body):
        assert not isinstance(by_body(body, "ref"), Accepted)


class TestStatus:
    @pytest.mark.parametrize(("status", "outcome"), BY_STATUS.items())
    def test_each_status_has_its_outcome(self, status, outcome):
        assert by_status(status) == outcome


class TestBusy:
    AGAIN = CODES[-1]

    def test_the_vendor_is_asked_three_times_more_and_then_no_more(self):
        busy = Busy()
        told = [busy.judge(7, self.AGAIN) for _ in range(MOST_BUSY + 3)]
        assert told == [self.AGAIN] * 3 + [Unknown("-1")] * 3

    def test_deliveries_are_counted_apart_and_another_answer_ends_the_count(self):
        busy = Busy()
        for delivery in (7, 8):
            assert [busy.judge(delivery, self.AGAIN) for _ in range(3)] == [self.AGAIN] * 3
        assert busy.judge(7, Accepted(("ref",))) == Accepted(("ref",))
        assert busy.judge(7, self.AGAIN) == self.AGAIN
        assert busy.judge(8, self.AGAIN) == Unknown("-1")

    def test_the_count_takes_no_more_than_its_room(self):
        busy = Busy()
        for delivery in range(REMEMBERED + 50):
            busy.judge(delivery, self.AGAIN)
        assert len(busy._times) == REMEMBERED


class TestRedacted:
    def test_the_key_is_taken_out_and_the_answer_stays_on_one_short_line(self):
        told = redacted(f"bad\r\nkey {KEY}\x1b[31m{'x' * 5000}".encode(), KEY)
        assert KEY not in told
        assert len(told) <= 300
        assert told.isprintable()


class TestPace:
    def test_a_robot_gets_its_number_in_a_minute_and_then_the_seconds_to_wait(self):
        pace = Pace(limit=20, patience=0.0)
        assert [pace.take(KEY, 100.0) for _ in range(20)] == [(True, 0.0)] * 20
        assert pace.take(KEY, 101.0) == (False, WINDOW - 1.0)
        assert pace.take(KEY, 100.0 + WINDOW) == (True, 0.0)

    def test_no_window_ever_holds_more_than_the_limit(self):
        pace = Pace(limit=5, patience=3.0)
        moments = []
        for tick in range(4000):
            now = tick / 10
            may, wait = pace.take(KEY, now)
            moments += [now + wait] if may else []
        assert all(
            later - earlier > WINDOW - 1e-6 for earlier, later in zip(moments, moments[5:], strict=False)
        )
        assert len(moments) >= 5 * int(400 / WINDOW)

    def test_a_short_wait_is_granted_and_a_long_one_is_not(self):
        pace = Pace(limit=1, patience=3.0)
        pace.take(KEY, 0.0)
        assert pace.take(KEY, WINDOW - 3.5) == (False, 3.5)
        assert pace.take(KEY, WINDOW - 2.5) == (True, 2.5)

    def test_robots_do_not_share_a_minute(self):
        pace = Pace(limit=1, patience=0.0)
        assert pace.take("a" * 16, 0.0) == pace.take("b" * 16, 0.0) == (True, 0.0)

    def test_a_moment_that_was_not_used_is_free_again(self):
        pace = Pace(limit=1, patience=0.0)
        pace.take(KEY, 0.0)
        pace.give_back(KEY)
        assert pace.take(KEY, 0.0) == (True, 0.0)

    def test_a_throttled_robot_is_left_alone(self):
        pace = Pace(limit=20, patience=3.0)
        pace.hold(KEY, 60.0, 0.0)
        assert pace.take(KEY, 1.0) == (False, 59.0)
        assert pace.take(KEY, 61.0) == (True, 0.0)
