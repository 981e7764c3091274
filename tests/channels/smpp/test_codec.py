from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Rejected, Retry, Throttled
from channels.smpp import codec

addresses = st.from_regex(r"[0-9]{0,20}", fullmatch=True).map(str.encode)


def body(source=b"10639000", destination=b"8619900000001", payload=b"hi", tlvs=b"", esm=0, coding=0):
    head = b"\0\1\1" + source + b"\0\1\1" + destination + b"\0"
    return head + bytes([esm, 0, 0, 0, 0, 1, 0, coding, 0, len(payload)]) + payload + tlvs


class TestFraming:
    @given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=40)), max_size=8), st.data())
    def test_pdus_come_out_as_they_went_in_however_they_were_sliced(self, pdus, data):
        stream = b"".join(codec.pdu(command, 0, n, text) for n, (command, text) in enumerate(pdus))
        found, rest = [], b""
        while stream:
            cut = data.draw(st.integers(1, len(stream)))
            rest, stream = rest + stream[:cut], stream[cut:]
            end = 0
            for command, _, sequence, at, end in codec.frames(rest):
                found.append((command, sequence, rest[at:end]))
            rest = rest[end:]
        assert found == [(command, n, text) for n, (command, text) in enumerate(pdus)]
        assert rest == b""

    @pytest.mark.parametrize("length", [0, 1, 15, 64 * 1024 + 1, 2**31, 2**32 - 1])
    @pytest.mark.parametrize("more", [b"", b"\0" * 4, b"\0" * 12, b"\0" * 100])
    def test_a_wrong_length_is_noticed_with_its_four_bytes(self, length, more):
        with pytest.raises(codec.FramingError):
            list(codec.frames(struct.pack(">I", length) + more))

    def test_what_stands_before_a_wrong_length_is_given_first(self):
        found = []
        with pytest.raises(codec.FramingError):
            found.extend(frame for frame in codec.frames(codec.pdu(0x15, 0, 7) + b"\xff\xff\xff\xff"))
        frames = codec.frames(codec.pdu(0x15, 0, 7) + b"\xff\xff\xff\xff")
        assert next(frames)[2] == 7

    @given(st.binary(max_size=200))
    def test_garbage_gives_frames_or_a_framing_error(self, garbage):
        try:
            for _, _, _, at, end in codec.frames(garbage):
                assert 16 <= at <= end <= len(garbage)
        except codec.FramingError:
            pass


class TestShortMessage:
    @given(addresses, addresses, st.binary(max_size=254), st.integers(0, 255), st.integers(0, 255))
    def test_every_field_is_found(self, source, destination, payload, esm, coding):
        whole = body(source, destination, payload, codec.tlv(0x1400, b"x"), esm, coding)
        message = codec.short_message(b"xx" + whole + b"yy", 2, 2 + len(whole))
        assert message.source == source
        assert message.destination == destination
        assert message.payload == payload
        assert message.esm_class == esm
        assert message.data_coding == coding
        assert message.registered == 1
        assert message.tlvs == {0x1400: b"x"}

    def test_a_long_text_may_come_in_message_payload(self):
        whole = body(payload=b"", tlvs=codec.tlv(codec.TAG_PAYLOAD, b"a" * 600))
        assert codec.short_message(whole, 0, len(whole)).payload == b"a" * 600

    @given(st.integers(0, 40))
    def test_a_cut_body_is_told_from_a_whole_one(self, cut):
        whole = body(payload=b"hello")
        if cut >= len(whole):
            return
        with pytest.raises(codec.BodyError):
            codec.short_message(whole[:cut] + b"\0" * 100, 0, cut)

    @given(st.binary(max_size=120))
    def test_garbage_is_a_message_or_a_body_error(self, garbage):
        with contextlib.suppress(codec.BodyError):
            codec.short_message(garbage, 0, len(garbage))

    @pytest.mark.parametrize("tail", [b"\x00", b"\x04\x24\x00\x09abc", b"\x04\x24\xff\xff"])
    def test_an_optional_parameter_that_ends_too_late_is_refused(self, tail):
        whole = body(tlvs=tail)
        with pytest.raises(codec.BodyError):
            codec.short_message(whole, 0, len(whole))

    def test_strings_that_do_not_end_are_refused(self):
        with pytest.raises(codec.BodyError):
            codec.c_strings(b"name\0pass", 0, 9, 2)


class TestStatus:
    @pytest.mark.parametrize("status", [0x14, 0x58])
    def test_too_fast_and_queue_full_are_throttles(self, status):
        assert type(codec.outcome(status, 2.0)) is Throttled

    @pytest.mark.parametrize("status", [0x04, 0x05, 0x08, 0x64, 0xFF, 0x0400, 0x04FF, 0x1234])
    def test_what_may_pass_is_tried_again(self, status):
        assert type(codec.outcome(status)) is Retry

    @pytest.mark.parametrize(
        "status", [0x01, 0x02, 0x03, 0x0A, 0x0B, 0x15, 0x43, 0x45, 0x50, 0x62, 0x65, 0x66, 0xC4, 0xFE]
    )
    def test_what_cannot_be_mended_is_rejected(self, status):
        assert type(codec.outcome(status)) is Rejected

    @pytest.mark.parametrize("status", sorted(codec.STATUS))
    def test_every_row_has_a_code_that_names_it(self, status):
        assert codec.outcome(status).code == f"0x{status:08X} {codec.STATUS[status][1]}"
