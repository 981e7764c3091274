from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.smpp import text

FAMILY = "👨‍👩‍👧‍👦"
FLAG = "🇨🇳"
WAVE = "👋🏽"
KEYCAP = "1️⃣"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"

signs = st.sampled_from(
    ["雨", "a", "é", "e\u0301", FAMILY, FLAG, WAVE, KEYCAP, SCOTLAND, "\U00020000", "ئۇ", "བོད", "한", "각"]
)
sentences = st.lists(signs, max_size=300).map("".join)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


class TestCounting:
    @pytest.mark.parametrize(
        ("units", "parts"),
        [(1, 1), (69, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4), (500, 8)],
    )
    def test_ucs2_holds_70_or_67_units(self, units, parts):
        assert text.count_parts("雨" * units) == parts

    @pytest.mark.parametrize(("septets", "parts"), [(1, 1), (160, 1), (161, 2), (306, 2), (307, 3), (459, 3)])
    def test_gsm_holds_160_or_153_septets(self, septets, parts):
        assert text.count_parts("a" * septets) == parts

    def test_a_character_of_the_extension_table_counts_twice(self):
        assert text.count_parts("€" * 80) == 1
        assert text.count_parts("€" * 81) == 2

    def test_an_emoji_counts_two_units(self):
        assert text.count_parts("😀" * 35) == 1
        assert text.count_parts("😀" * 36) == 2

    def test_one_chinese_character_makes_the_whole_text_ucs2(self):
        assert text.coding_of("Red alert: leave now") is text.GSM
        assert text.coding_of("Red alert: leave now 雨") is text.UCS2
        assert text.coding_of("a\u00a0b") is text.UCS2


class TestCutting:
    def test_an_escaped_character_is_never_cut(self):
        parts = text.split("a" * 152 + "€" + "b" * 30, text.GSM)
        assert parts == ["a" * 152, "€" + "b" * 30]

    @pytest.mark.parametrize(
        "sign", ["😀", FAMILY, FLAG, WAVE, KEYCAP, SCOTLAND, "e\u0301\u0323", "각", "ནོ"], ids=ascii
    )
    @pytest.mark.parametrize("before", range(60, 68))
    def test_a_sign_stays_whole_at_the_border(self, sign, before):
        parts = text.split("雨" * before + sign + "风" * 10, text.UCS2)
        assert any(sign in part for part in parts)

    def test_flags_side_by_side_are_cut_between_flags(self):
        assert list(text.clusters(FLAG * 3)) == [FLAG] * 3

    def test_two_emoji_side_by_side_are_two_signs(self):
        assert list(text.clusters("😀😀" + FAMILY)) == ["😀", "😀", FAMILY]

    def test_a_sign_longer_than_a_part_is_cut_between_code_points_and_loses_nothing(self):
        whole = "e" + "\u0301" * 1000
        parts = text.split(whole, text.UCS2)
        assert "".join(parts) == whole
        assert max(text.size(part, text.UCS2) for part in parts) <= 67

    @given(sentences | anything)
    def test_the_parts_are_the_text_and_none_is_too_long(self, whole):
        coding = text.coding_of(whole)
        parts = text.split(whole, coding)
        assert "".join(parts) == whole
        room = coding.single if len(parts) == 1 else coding.part
        assert all(text.size(part, coding) <= room for part in parts)
        assert all(parts) or whole == ""

    @given(sentences)
    def test_no_part_begins_with_something_that_belongs_to_the_part_before(self, whole):
        for part in text.split(whole, text.UCS2)[1:]:
            assert unicodedata.category(part[0])[0] != "M"
            assert part[0] != "\u200d"
            assert not "\U0001f3fb" <= part[0] <= "\U0001f3ff"

    @given(sentences | anything)
    def test_signs_put_together_are_the_text(self, whole):
        assert "".join(text.clusters(whole)) == whole


class TestOctets:
    @given(anything)
    def test_a_text_survives_its_way_through_the_network(self, whole):
        coding, parts = text.encoded_parts(whole, 77)
        if len(parts) > 255:
            return
        read = []
        for number, part in enumerate(parts, start=1):
            found, octets = text.take_header(part) if len(parts) > 1 else (None, part)
            assert found == ((77, len(parts), number) if len(parts) > 1 else None)
            assert len(part) <= (160 if coding is text.GSM else 140)
            read.append(text.decode(octets, coding.data_coding))
        assert "".join(read) == whole

    def test_gsm_octets_are_those_of_the_standard(self):
        assert text.encode("@£ [é€", text.GSM) == b"\x00\x01\x20\x1b\x3c\x05\x1b\x65"

    def test_a_16_bit_reference_is_understood(self):
        assert text.take_header(b"\x06\x08\x04\x12\x34\x03\x02rest") == ((0x1234, 3, 2), b"rest")

    @given(st.binary(max_size=160), st.integers(0, 255))
    def test_garbage_is_read_without_an_error(self, octets, coding):
        assert isinstance(text.decode(octets, coding), str)
        text.take_header(octets)
