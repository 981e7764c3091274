from __future__ import annotations

import pytest

from gateway.audience.codes import (
    CODE_LISTS,
    CodeRefused,
    ancestors,
    is_finer,
    list_key,
    parse_code,
    township_of,
)


class TestALevel:
    @pytest.mark.parametrize(
        ("text", "level", "prefix"),
        [
            ("990000", "province", "99"),
            ("990100", "city", "9901"),
            ("990101", "county", "990101"),
            ("990101003", "township", "990101003"),
            ("990101010", "township", "990101010"),
            ("990101100", "township", "990101100"),
            ("990101000000", "county", "990101"),
            ("990110000000", "county", "990110"),
            ("990101010000", "township", "990101010"),
            ("990101003210", "village", "990101003210"),
            ("990101003200", "village", "990101003200"),
            ("99010100320000", "village", "990101003200"),
            ("99010100000000", "county", "990101"),
            ("100000", "province", "10"),
        ],
    )
    def test_it_is_the_last_one_that_is_not_zero_and_never_a_part_of_one(self, text, level, prefix):
        code = parse_code(text)
        assert (code.level, code.prefix, len(code.digits)) == (level, prefix, 12)

    @pytest.mark.parametrize("text", ["000000", "000000000", "000000000000", "00000000000000"])
    def test_zeros_are_refused_because_they_would_be_everyone(self, text):
        with pytest.raises(CodeRefused, match="names no division"):
            parse_code(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "9",
            "99",
            "9901",
            "99010",
            "9901010",
            "9901010030",
            "990101003A",
            "９９０１０１",
            " 990101",
            "-90101",
        ],
    )
    def test_other_lengths_and_characters_are_refused(self, text):
        with pytest.raises(CodeRefused, match="6, 9, 12 or 14 digits"):
            parse_code(text)


def test_what_lies_above_comes_nearest_first():
    assert ancestors("990101003210") == ["990101003000", "990101000000", "990100000000", "990000000000"]
    assert ancestors("990000") == []


def test_the_township_of_a_county_is_the_county_itself():
    assert township_of("990101003210") == "990101003000"
    assert township_of("990101000000") == "990101000000"


@pytest.mark.parametrize(
    ("text", "finer"), [("99010100321001", True), ("99010100321000", False), ("990101003210", False)]
)
def test_only_14_digits_can_be_finer_than_a_village(text, finer):
    assert is_finer(text) is finer


class TestTheTableOfLists:
    @pytest.mark.parametrize(
        "name",
        [
            "GB/T 2260",
            "gb/t2260",
            "GBT2260-2007",
            "GB/T 2260-2013",
            "urn:gb2260",
            "profile:GB/T 2260",
            "adcode",
            "行政区划代码",
        ],
    )
    def test_it_holds_division_codes_under_all_their_names(self, name):
        assert list_key(name) in CODE_LISTS

    @pytest.mark.parametrize(
        "name", ["SAME", "FIPS6", "UGC", "EMMA_ID", "NUTS3", "profile:CAP-CP:Location:0.3", "", "2260"]
    )
    def test_it_holds_no_other_list(self, name):
        assert list_key(name) not in CODE_LISTS
