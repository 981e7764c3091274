"""Providers' callbacks: who may speak, and what they may say."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Proof, Receipt
from gateway.receipts.callback import CallbackRefused, parse, sign, verify

KEY, OLD = b"an invented key of thirty-two by", b"another invented key, used until"
NOW = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"receipts":[{"ref":"a1","state":"delivered"}]}'


def at(seconds: int) -> str:
    return str(int(NOW.timestamp()) + seconds)


def body(**entry: object) -> bytes:
    return json.dumps({"receipts": [{"ref": "a1", "state": "delivered"} | entry]}).encode()


class TestWho:
    @pytest.mark.parametrize("key", [KEY, OLD])
    def test_either_live_key_is_taken_during_a_change_of_key(self, key):
        verify("sms", STAMP, sign("sms", STAMP, BODY, key), BODY, [KEY, OLD], NOW)

    @pytest.mark.parametrize("off", [-300, -1, 0, 1, 300])
    def test_a_clock_may_be_five_minutes_off(self, off):
        verify("sms", at(off), sign("sms", at(off), BODY, KEY), BODY, [KEY], NOW)

    @pytest.mark.parametrize("off", [-301, 301, -86400, 86400 * 365])
    def test_an_older_or_later_call_is_refused(self, off):
        with pytest.raises(CallbackRefused, match="off our clock") as refused:
            verify("sms", at(off), sign("sms", at(off), BODY, KEY), BODY, [KEY], NOW)
        assert refused.value.status == 401

    @pytest.mark.parametrize(
        "stamp",
        [
            None,
            "",
            "0",
            "-1",
            "1.5e9",
            f" {STAMP}",
            f"{STAMP}.0",
            f"+{STAMP}",
            f"0{STAMP}",
            "１７５１３３５２００",
            "9" * 5000,
        ],
    )
    def test_a_timestamp_that_is_no_unix_time_is_refused(self, stamp):
        with pytest.raises(CallbackRefused, match="Tongda-Timestamp"):
            verify("sms", stamp, sign("sms", stamp or "", BODY, KEY), BODY, [KEY], NOW)

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            "",
            "0" * 64,
            sign("sms", STAMP, BODY, KEY)[:63],
            sign("sms", STAMP, BODY, KEY).upper(),
            sign("sms", STAMP, BODY, KEY) + "0",
            f"v1={sign('sms', STAMP, BODY, KEY)}",
            sign("sms", STAMP, BODY, b"a key of somebody else"),
            sign("sms", at(1), BODY, KEY),
            sign("email", STAMP, BODY, KEY),
            sign("sms.drill", STAMP, BODY, KEY),
            sign("sms", STAMP, BODY + b" ", KEY),
            sign("sms", "", STAMP.encode() + b"." + BODY, KEY),
            "é" * 64,
        ],
    )
    def test_a_signature_that_is_not_exactly_ours_is_refused(self, signature):
        with pytest.raises(CallbackRefused, match="Tongda-Signature") as refused:
            verify("sms", STAMP, signature, BODY, [KEY], NOW)
        assert refused.value.status == 401

    def test_a_channel_without_keys_takes_nobody(self):
        with pytest.raises(CallbackRefused):
            verify("sms", STAMP, sign("sms", STAMP, BODY, b""), BODY, [], NOW)

    def test_a_refusal_names_neither_key_nor_the_right_signature(self):
        with pytest.raises(CallbackRefused) as refused:
            verify("sms", STAMP, "0" * 64, BODY, [KEY], NOW)
        assert sign("sms", STAMP, BODY, KEY) not in str(refused.value)
        assert KEY.decode() not in str(refused.value)

    @given(st.binary(max_size=100), st.binary(max_size=100))
    def test_a_signature_holds_for_no_other_body(self, one, other):
        if one == other:
            verify("sms", STAMP, sign("sms", STAMP, one, KEY), other, [KEY], NOW)
        else:
            with pytest.raises(CallbackRefused):
                verify("sms", STAMP, sign("sms", STAMP, one, KEY), other, [KEY], NOW)


class TestWhat:
    @pytest.mark.parametrize(
        ("state", "proof"),
        [
            ("accepted", Proof.ACCEPTED),
            ("delivered", Proof.DELIVERED),
            ("rejected", Proof.REJECTED),
            ("expired", Proof.EXPIRED),
            ("read", Proof.READ),
            ("unknown", Proof.UNKNOWN),
        ],
    )
    def test_each_state_becomes_its_proof(self, state, proof):
        assert [receipt.state for receipt in parse(body(state=state))] == [proof]

    def test_every_field_is_kept(self):
        (receipt,) = parse(body(code="000", at="2026-07-01T10:00:00+08:00"))
        assert receipt[:5] == (Proof.DELIVERED, "a1", None, "000", NOW)
        assert json.loads(receipt.raw)["code"] == "000"

    def test_code_and_time_may_be_left_out(self):
        (receipt,) = parse(BODY)
        assert (receipt.code, receipt.at) == ("", None)

    def test_several_receipts_keep_their_order(self):
        receipts = parse(b'{"receipts":[{"ref":"1","state":"read"},{"ref":"2","state":"read"}]}')
        assert [receipt.ref for receipt in receipts] == ["1", "2"]

    @pytest.mark.parametrize(
        "state", ["confirmed", "CONFIRMED", "planned", "suppressed", "leased", "", None, 8]
    )
    def test_no_provider_can_confirm_or_name_a_state_of_our_own(self, state):
        with pytest.raises(CallbackRefused, match=r"receipts\.0\.state"):
            parse(body(state=state))

    @pytest.mark.parametrize("field", ["delivery", "release", "channel", "source", "raw"])
    def test_no_provider_can_name_a_delivery_or_anything_else_of_ours(self, field):
        with pytest.raises(CallbackRefused, match=field):
            parse(body(**{field: 1}))

    @pytest.mark.parametrize(
        ("entry", "place"),
        [
            ({"ref": ""}, "ref"),
            ({"ref": "a" * 201}, "ref"),
            ({"ref": 17}, "ref"),
            ({"ref": None}, "ref"),
            ({"ref": "a\x00b"}, "ref"),
            ({"ref": "a\r\nb"}, "ref"),
            ({"ref": "a\u2028b"}, "ref"),
            ({"ref": "\ud800"}, "ref"),
            ({"code": "c" * 65}, "code"),
            ({"code": "\x1b[2J"}, "code"),
            ({"at": "2026-07-01T10:00:00"}, "at"),
            ({"at": "yesterday"}, "at"),
            ({"at": "9999-12-31T23:59:59-12:00"}, "at"),
            ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ],
    )
    def test_a_field_that_no_database_takes_is_refused_by_its_place(self, entry, place):
        with pytest.raises(CallbackRefused, match=rf"receipts\.0\.{place}") as refused:
            parse(body(**entry))
        assert refused.value.status == 400

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b'{"receipts":[]}',
            b'{"receipts":{}}',
            b'{"receipts":[{}]}',
            b'{"receipts":[{"ref":"a","state":"read"}],"more":1}',
            b"\xff\xfe",
            b'{"receipts":[{"ref":"a","state":"read"}]} x',
            b"1" * 5000,
        ],
    )
    def test_another_shape_is_refused(self, text):
        with pytest.raises(CallbackRefused):
            parse(text)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b'{"receipts":[{"ref":"a","state":"rejected","state":"delivered"}]}', "twice"),
            (b'{"receipts":[],"receipts":[{"ref":"a","state":"read"}]}', "twice"),
            (b'{"receipts":[{"ref":"a","state":"read","at":NaN}]}', "NaN is not JSON"),
            (b'{"receipts":[{"ref":"a","state":"read","at":-Infinity}]}', "Infinity is not JSON"),
            (b"[" * 200_000, "not JSON"),
            (b'{"a":' * 20 + b"1" + b"}" * 20, "deeper"),
        ],
    )
    def test_what_two_parsers_could_read_differently_is_refused(self, text, words):
        with pytest.raises(CallbackRefused, match=words):
            parse(text)

    def test_one_bad_receipt_refuses_the_call_whole(self):
        with pytest.raises(CallbackRefused, match=r"receipts\.1\.ref"):
            parse(b'{"receipts":[{"ref":"a","state":"read"},{"ref":"","state":"read"}]}')

    def test_ten_thousand_are_taken_and_one_more_is_not(self):
        entry = {"ref": "a", "state": "read"}
        assert len(parse(json.dumps({"receipts": [entry] * 10_000}).encode())) == 10_000
        with pytest.raises(CallbackRefused):
            parse(json.dumps({"receipts": [entry] * 10_001}).encode())

    @given(st.binary(max_size=200))
    def test_any_bytes_are_receipts_or_refused(self, junk):
        try:
            receipts = parse(junk)
        except CallbackRefused:
            return
        assert all(type(receipt) is Receipt for receipt in receipts)
