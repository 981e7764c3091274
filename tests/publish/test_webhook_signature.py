"""Webhook signatures against the library of Standard Webhooks, and everything that does not verify."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks.webhooks import Webhook

from gateway.webhook_signature import SignatureRefused, secret_bytes, sign, stamp, verify

SECRET = b"an invented secret of nobody at all"
OTHER = b"another invented secret of nobody.."
NOW = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
BODY = '{"event": "暴雨"}'.encode()


def check(**changes) -> datetime:
    given = {
        "secrets": [SECRET],
        "msg_id": "msg_1",
        "timestamp": stamp(NOW),
        "signature": sign(SECRET, "msg_1", NOW, BODY),
        "body": BODY,
        "now": NOW,
    }
    return verify(**given | changes)


class TestAgainstTheLibrary:
    @pytest.mark.parametrize("body", [BODY, b"", b"{}", b"a.b.c"])
    def test_both_sign_alike(self, body):
        theirs = Webhook(base64.b64encode(SECRET).decode()).sign("msg_1", NOW, body.decode())
        assert sign(SECRET, "msg_1", NOW, body) == theirs

    def test_the_library_verifies_ours(self):
        now = datetime.now(UTC)
        headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp(now)}
        headers["webhook-signature"] = (
            f"v1a,x {sign(OTHER, 'msg_1', now, BODY)} {sign(SECRET, 'msg_1', now, BODY)}"
        )
        assert Webhook(SECRET).verify(BODY, headers) == {"event": "暴雨"}

    def test_the_time_zone_does_not_matter(self):
        there = NOW.astimezone(timezone(timedelta(hours=8)))
        assert sign(SECRET, "msg_1", there, BODY) == sign(SECRET, "msg_1", NOW, BODY)


class TestVerifying:
    def test_a_genuine_one_tells_when_it_was_signed(self):
        assert check() == NOW

    def test_one_of_several_secrets_and_signatures_is_enough(self):
        both = f"{sign(OTHER, 'msg_1', NOW, BODY)} v9,future {sign(SECRET, 'msg_1', NOW, BODY)}"
        assert check(secrets=[b"x" * 32, SECRET], signature=both) == NOW

    @pytest.mark.parametrize(
        "changes",
        [
            {"body": BODY + b" "},
            {"msg_id": "msg_2"},
            {"msg_id": None},
            {"msg_id": "msg.1"},
            {"timestamp": None},
            {"timestamp": "1e9"},
            {"timestamp": f"{stamp(NOW)}.0"},
            {"timestamp": "١٢٣"},
            {"signature": None},
            {"signature": ""},
            {"signature": "v1,"},
            {"signature": "v1,ééé"},
            {"signature": sign(OTHER, "msg_1", NOW, BODY)},
            {"signature": sign(SECRET, "msg_1", NOW, BODY).replace("v1,", "v1a,")},
            {"signature": " ".join(["v1,x"] * 100)},
            {"secrets": []},
            {"now": NOW + timedelta(seconds=301)},
            {"now": NOW - timedelta(seconds=301)},
        ],
    )
    def test_anything_else_is_refused(self, changes):
        with pytest.raises(SignatureRefused):
            check(**changes)

    def test_a_stranger_learns_nothing_of_our_clock(self):
        with pytest.raises(SignatureRefused, match="does not match"):
            check(secrets=[OTHER], now=NOW + timedelta(days=1))

    def test_the_end_of_an_id_does_not_pass_for_a_timestamp(self):
        with pytest.raises(ValueError, match="webhook id"):
            sign(SECRET, "msg_1.17", NOW, BODY)

    def test_a_time_without_zone_is_not_signed(self):
        with pytest.raises(ValueError, match="time zone"):
            sign(SECRET, "msg_1", NOW.replace(tzinfo=None), BODY)


class TestSecrets:
    def test_both_ways_to_write_one(self):
        assert secret_bytes("whsec_" + base64.b64encode(SECRET).decode()) == SECRET
        assert secret_bytes("whsec_" + base64.b64encode(SECRET).decode().rstrip("=")) == SECRET
        assert secret_bytes(SECRET.decode()) == SECRET

    @pytest.mark.parametrize("text", ["whsec_", "whsec_ab!", "whsec_QUJD", "short", ""])
    def test_what_is_none(self, text):
        with pytest.raises(ValueError, match=r"base64|24 bytes"):
            secret_bytes(text)
