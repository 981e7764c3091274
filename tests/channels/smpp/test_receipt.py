from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Proof
from channels.smpp import codec
from channels.smpp.receipt import (
    STATES,
    ReceiptReader,
    is_receipt,
    normalise,
    receipt_form,
    response_form,
)

ZONE = ZoneInfo("Asia/Shanghai")
PHONE = b"8619900000001"  # invented
USUAL = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2607221400 done date:2607221401 "
    b"stat:DELIVRD err:000 text:hello"
)


def read(payload=USUAL, tlvs=None, form="exact", source=PHONE):
    return ReceiptReader(form, ZONE).read(payload, tlvs or {}, source)


class TestText:
    def test_the_usual_form_is_read(self):
        receipt = read()
        assert receipt.state is Proof.DELIVERED
        assert receipt.ref == "123456789"
        assert receipt.at == datetime(2026, 7, 22, 6, 1, tzinfo=UTC)
        assert receipt.code == ""
        assert receipt.raw == USUAL.decode()

    @pytest.mark.parametrize(
        "payload",
        [
            b"id:77 stat:DELIVRD err:000",
            b"ID:77 Sub:001 Dlvrd:001 Submit Date:2607221400 Done Date:260722140100 Stat:delivrd Err:0",
            b"stat:DELIVRD id:77",
            b"id: 77 stat: DELIVRD text:id:99 stat:UNDELIV",
            b"id:77 sub:1 dlvrd:1 submitdate:2607221400 donedate:2607221401 stat:DELIVERED err: text:",
            b"id:0077\nstat:DELIVRD\n",
        ],
    )
    def test_unusual_forms_are_read_as_well(self, payload):
        receipt = read(payload)
        assert (receipt.ref, receipt.state) == ("77", Proof.DELIVERED)

    @pytest.mark.parametrize(
        ("stat", "state", "code"),
        [
            ("DELIVRD", Proof.DELIVERED, ""),
            ("UNDELIV", Proof.REJECTED, "UNDELIV 012"),
            ("REJECTD", Proof.REJECTED, "REJECTD 012"),
            ("DELETED", Proof.REJECTED, "DELETED 012"),
            ("EXPIRED", Proof.EXPIRED, "EXPIRED 012"),
            ("ACCEPTD", Proof.ACCEPTED, "ACCEPTD 012"),
            ("ENROUTE", Proof.ACCEPTED, "ENROUTE 012"),
            ("UNKNOWN", Proof.UNKNOWN, "UNKNOWN 012"),
            ("MK:0012", Proof.REJECTED, "MK:0012 012"),
            ("", Proof.UNKNOWN, "012"),
        ],
    )
    def test_states_become_proof(self, stat, state, code):
        receipt = read(USUAL.replace(b"DELIVRD", stat.encode()).replace(b"err:000", b"err:012"))
        assert (receipt.state, receipt.code) == (state, code)

    @pytest.mark.parametrize(
        "date", [b"", b"soon", b"2613221401", b"260722", b"99999999999999", b"\xb2" * 10]
    )
    def test_a_date_that_is_none_is_left_out(self, date):
        assert read(USUAL.replace(b"2607221401", date)).at is None

    @pytest.mark.parametrize("number", [b"8619900000001", b"19900000001", b"+8619900000001"])
    def test_the_phone_number_is_masked(self, number):
        receipt = read(USUAL.replace(b"hello", number), source=b"8619900000001")
        assert "19900000001" not in repr(receipt)
        assert "0001" in receipt.raw

    @given(st.binary(max_size=254), st.dictionaries(st.sampled_from([0x1E, 0x427]), st.binary(max_size=80)))
    def test_garbage_never_counts_as_delivered_by_chance_nor_raises(self, payload, tlvs):
        receipt = read(payload, tlvs)
        if b"deliv" not in payload.lower() and tlvs.get(0x427, b"")[:1] != b"\x02":
            assert receipt.state is not Proof.DELIVERED


class TestTlvs:
    @pytest.mark.parametrize(
        ("number", "state"),
        [
            (1, Proof.ACCEPTED),
            (2, Proof.DELIVERED),
            (3, Proof.EXPIRED),
            (4, Proof.REJECTED),
            (5, Proof.REJECTED),
            (6, Proof.ACCEPTED),
            (7, Proof.UNKNOWN),
            (8, Proof.REJECTED),
        ],
    )
    def test_they_are_enough(self, number, state):
        receipt = read(b"", {codec.TAG_RECEIPTED_ID: b"abc\0", codec.TAG_STATE: bytes([number])})
        assert (receipt.ref, receipt.state) == ("abc", state)

    def test_they_count_for_more_than_the_text(self):
        receipt = read(tlvs={codec.TAG_RECEIPTED_ID: b"42\0", codec.TAG_STATE: b"\x05"})
        assert (receipt.ref, receipt.state) == ("42", Proof.REJECTED)

    def test_an_unknown_number_leaves_the_text_its_say(self):
        assert read(tlvs={codec.TAG_STATE: b"\x63"}).state is Proof.DELIVERED


class TestIds:
    @pytest.mark.parametrize(
        ("answer", "report", "form"),
        [
            ("00A1B2", "a1b2", "exact"),
            ("123", "0000000123", "exact"),
            ("1a2b", "00001A2B", "hex"),
            ("0x1A2B", "1a2b", "hex"),
            ("0000012", "12", "decimal"),
            ("1a2b", "6699", "hex-decimal"),
            ("00001A2B", "0000006699", "hex-decimal"),
            ("5f2c-not-hex", "5F2C-NOT-HEX", "hex-decimal"),
            (" 77 ", "77", "exact"),
            ("0", "000", "exact"),
        ],
    )
    def test_both_sides_meet(self, answer, report, form):
        assert normalise(answer, response_form(form)) == normalise(report, receipt_form(form))

    @pytest.mark.parametrize("form", ["exact", "hex", "decimal", "hex-decimal"])
    @given(number=st.integers(1, 2**64))
    def test_different_numbers_stay_different(self, form, number):
        written = [f"{n:x}" if response_form(form) == "hex" else str(n) for n in (number, number + 1)]
        one, two = (normalise(ref, response_form(form)) for ref in written)
        assert one != two

    @given(st.text(max_size=6000))
    def test_any_text_has_a_form(self, ref):
        for form in ("exact", "hex", "decimal"):
            once = normalise(ref, form)
            assert isinstance(once, str)

    @pytest.mark.parametrize("form", ["exact", "hex", "decimal"])
    def test_an_id_longer_than_the_standard_allows_is_compared_by_its_hash(self, form):
        assert len(normalise("f" * 60_000, form)) == 64
        assert normalise("F" * 66, form) == normalise("f" * 66, form) != normalise("f" * 67, form)


class TestWhatIsAReceipt:
    @pytest.mark.parametrize(
        ("esm_class", "payload", "tlvs", "yes"),
        [
            (0x04, b"", {}, True),
            (0x20, b"", {}, True),
            (0x00, b"id:1 sub:001 stat:DELIVRD", {}, False),
            (0x08, b"id:1 stat:DELIVRD", {}, False),
            (0x10, b"1", {}, False),
            (0x00, b"", {codec.TAG_RECEIPTED_ID: b"1"}, True),
            (0x00, b"1", {}, False),
            (0x40, b"1", {}, False),
            (0x00, b"id: when does it end?", {}, False),
        ],
    )
    def test_it_is_told_by_what_only_the_smsc_can_set(self, esm_class, payload, tlvs, yes):
        assert is_receipt(esm_class, payload, tlvs) is yes

    def test_words_tell_it_only_where_the_route_says_so(self):
        assert is_receipt(0, b"id:1 sub:001 stat:DELIVRD", {}, by_words=True)
        assert not is_receipt(0, b"id: when does it end?", {}, by_words=True)

    @pytest.mark.parametrize("word", [b"SCHEDULED", b"BUFFRED", b"ENROUTE"])
    def test_a_word_of_progress_is_no_failure(self, word):
        assert STATES[word] is Proof.ACCEPTED
