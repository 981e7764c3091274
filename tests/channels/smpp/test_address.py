from __future__ import annotations

import pytest

from channels.base import AddressRefused
from channels.smpp.address import check_address, reply_address


@pytest.mark.parametrize(
    "written",
    ["19900000001", "8619900000001", "+8619900000001", "+86 199 0000 0001", "199-0000-0001"],
)
def test_a_chinese_mobile_has_one_form(written):
    assert check_address(written) == "8619900000001"


def test_a_foreign_mobile_keeps_its_country():
    assert check_address("+852 5123 4567") == "85251234567"
    assert check_address("+44 7400 123456") == "447400123456"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "110",
        "12900000001",
        "1990000000",
        "199000000011",
        "0559 251 2345",
        "+86 10 6552 0000",
        "+999 123456",
        "mayor",
        "a@example.org",
        "19900000001x7",
        "19900000001;19900000002",
        "1" * 500,
    ],
)
def test_what_sms_cannot_reach_is_refused(written):
    with pytest.raises(AddressRefused):
        check_address(written)


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (b"8619900000001", "8619900000001"),
        (b"+8619900000001", "8619900000001"),
        (b"19900000001", "8619900000001"),
        (b"10086", "10086"),
        (b"BANK", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_who_writes_back_is_found_under_the_stored_form(source, address):
    assert reply_address(source) == address
