from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from channels.base import HOLE, ContentRefused, Message, Rejected
from channels.smpp import SmppChannel, SmppSettings, codec, text
from channels.smpp.adapter import validity_period, whole_bodies
from tests.channels.contract import Inbox, content

NOW = datetime(2026, 7, 22, 6, 0, tzinfo=UTC)
PHONE = "8619900000001"  # invented


def channel(**settings):
    return SmppChannel(SmppSettings(host="smsc.example.org", system_id="tongda", **settings), Inbox())


def submitted(prepared, fill=""):
    made = prepared.render(NOW, Message(1, PHONE, fill))
    assert isinstance(made, list)
    return [codec.short_message(body, 0, len(body)) for body in made]


class TestPdus:
    def test_a_short_chinese_text_is_one_ucs2_message(self):
        prepared = channel(source_address="10639000").prepare(content(text="暴雨" * 35))
        (message,) = submitted(prepared)
        assert prepared.parts == 1
        assert message.source == b"10639000"
        assert message.destination == PHONE.encode()
        assert message.data_coding == 8
        assert message.esm_class == 0
        assert message.registered == 1
        assert message.payload.decode("utf-16-be") == "暴雨" * 35

    def test_a_long_text_asks_for_a_receipt_of_each_part(self):
        prepared = channel().prepare(content(text="雨" * 135))
        messages = submitted(prepared)
        assert prepared.parts == len(messages) == 3
        assert {message.esm_class for message in messages} == {codec.ESM_UDHI}
        assert {message.registered for message in messages} == {1}
        headers = [text.take_header(message.payload)[0] for message in messages]
        assert [(header[1], header[2]) for header in headers] == [(3, 1), (3, 2), (3, 3)]
        assert len({header[0] for header in headers}) == 1

    def test_an_update_does_not_share_its_reference_with_what_it_replaces(self):
        first, second = (
            channel().prepare(content(text="雨" * 100, release=f"r-20260722-000{n}")) for n in (1, 2)
        )
        assert first.reference != second.reference

    def test_latin_text_is_gsm(self):
        (message,) = submitted(channel().prepare(content(text="Leave now [red] €")))
        assert (message.data_coding, message.payload) == (0, text.encode("Leave now [red] €", text.GSM))

    def test_a_person_s_link_may_change_the_alphabet(self):
        prepared = channel().prepare(content(text=f"Leave now {HOLE}"))
        assert submitted(prepared, "https://w.example.org/1")[0].data_coding == 0
        assert submitted(prepared, "https://预警.example.org/1")[0].data_coding == 8

    def test_a_link_that_makes_the_text_too_long_is_refused_for_that_person(self):
        prepared = channel(max_parts=1).prepare(content(text=f"{'雨' * 20}{HOLE}"))
        assert prepared.render(NOW, Message(1, PHONE, "x" * 60)) == Rejected(
            "longer than 1 parts with its link"
        )

    def test_the_template_and_the_personal_way_make_the_same_pdu(self):
        prepared = channel().prepare(content())
        message = Message(1, PHONE)
        assert whole_bodies(prepared.frames(NOW), message) == prepared.render(NOW, message)


class TestValidity:
    EXPIRES = datetime(2026, 7, 23, 7, 30, 15, tzinfo=UTC)

    def test_absolute_is_in_utc(self):
        assert validity_period(self.EXPIRES, NOW, "absolute") == b"260723073015000+"

    def test_relative_counts_from_the_moment_of_sending(self):
        assert validity_period(self.EXPIRES, NOW, "relative") == b"000001013015000R"

    def test_relative_is_never_under_a_minute(self):
        assert validity_period(NOW - timedelta(hours=1), NOW, "relative") == b"000000000100000R"

    def test_none_leaves_it_to_the_smsc(self):
        assert validity_period(self.EXPIRES, NOW, "none") == b""

    @pytest.mark.parametrize("form", ["absolute", "relative", "none"])
    def test_it_stands_in_the_pdu(self, form):
        prepared = channel(validity=form).prepare(content(expires=self.EXPIRES))
        assert submitted(prepared)[0].validity == validity_period(self.EXPIRES, NOW, form)


class TestRefusedContent:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            ("", "empty"),
            (" \n", "empty"),
            ("a\x00b", "control character"),
            ("雨\x1b[31m", "control character"),
            ("雨\x85", "control character"),
            ("a\ud800b", "half of a character"),
            ("雨" * 671, "671 UTF-16 units, and 670 fit into 10 SMS"),
            ("a" * 1531, "1531 GSM-7 septets, and 1530 fit into 10 SMS"),
        ],
        ids=ascii,
    )
    def test_it_is_told_why_in_one_line(self, words, told):
        with pytest.raises(ContentRefused, match=told) as refused:
            channel().prepare(content(text=words))
        assert len(str(refused.value).splitlines()) == 1

    def test_the_longest_text_is_taken(self):
        assert channel().prepare(content(text="雨" * 670)).parts == 10
        assert channel(max_parts=1).prepare(content(text="雨" * 70)).parts == 1

    def test_a_text_with_a_hole_is_counted_with_room_for_a_link(self):
        assert channel().prepare(content(text="雨" * 31 + HOLE)).parts == 2
        assert channel().prepare(content(text="雨" * 30 + HOLE)).parts == 1


class TestSettings:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"zone": "Asia/Nowhere"},
            {"zone": "../etc/passwd"},
            {"port": 0},
            {"window": 0},
            {"connections": 0},
            {"timeout": 0},
            {"id_form": "octal"},
            {"validity": "sometimes"},
            {"system_id": "much-too-long-a-name"},
            {"source_address": "10639\x00"},
            {"windows": 10},
            {"password": "gehe\u00efm"},
            {"password": "a\x00b"},
        ],
        ids=str,
    )
    def test_a_wrong_one_is_refused_by_name(self, wrong):
        with pytest.raises(ValidationError) as refused:
            SmppSettings(**{"host": "smsc.example.org", "system_id": "tongda", **wrong})
        assert next(iter(wrong)) in str(refused.value)
        assert str(wrong.get("password", "\x00")) not in str(refused.value)
