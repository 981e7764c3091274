from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.smtp.verp import ReturnPath

OURS = ReturnPath("invented-key-of-a-test", "Gateway.example.org")


@given(st.integers(0, 2**63 - 1))
def test_a_return_path_names_its_delivery(delivery):
    address = OURS.address(delivery)
    assert (
        OURS.read(address) == OURS.read(address.upper()) == OURS.read_token(OURS.token(delivery)) == delivery
    )
    assert len(address.partition("@")[0]) <= 64


@pytest.mark.parametrize(
    "address",
    [
        "",
        "<>",
        "bounce@gateway.example.org",
        "bounce+17@gateway.example.org",
        f"bounce+17.{'0' * 20}@gateway.example.org",
        OURS.address(17).replace("17.", "18."),
        OURS.address(17).replace("17.", "017."),
        OURS.address(17).replace("gateway", "other"),
        OURS.address(17).replace("bounce+", "bounce+x"),
        ReturnPath("another-key-of-a-test", "gateway.example.org").address(17),
        f"{OURS.address(17)}@gateway.example.org",
    ],
)
def test_what_we_did_not_sign_names_nothing(address):
    assert OURS.read(address) is None


@given(st.text())
def test_any_text_is_read_safely(text):
    assert OURS.read(text) is None
    assert OURS.read(f"bounce+{text}@gateway.example.org") is None
