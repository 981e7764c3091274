"""Confirm tokens: short, one spelling each, and nobody else can make one."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.receipts.confirm import make_token, read_token

KEY = b"an invented key of thirty-two by"
OLD = b"another invented key, used until"
LARGEST = 2**63 - 1
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

deliveries = st.integers(1, LARGEST)


@given(deliveries)
def test_a_token_gives_its_delivery_back(delivery):
    assert read_token(make_token(delivery, KEY), [KEY]) == delivery


@given(deliveries)
def test_a_token_is_letters_and_digits_that_every_phone_takes_as_part_of_a_link(delivery):
    assert set(make_token(delivery, KEY)) <= set(ALPHABET)


@pytest.mark.parametrize(("delivery", "length"), [(1, 14), (1_000_000, 17), (16_777_215, 18), (LARGEST, 25)])
def test_a_token_is_short_because_texts_are_paid_by_length(delivery, length):
    assert len(make_token(delivery, KEY)) <= length


@given(deliveries, st.data())
def test_no_token_with_a_changed_character_is_taken(delivery, data):
    token = make_token(delivery, KEY)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(ALPHABET).filter(lambda digit: digit != token[place]))
    assert read_token(token[:place] + other + token[place + 1 :], [KEY]) is None


@given(deliveries, st.text(ALPHABET, min_size=1, max_size=12))
def test_no_token_with_something_added_or_cut_is_taken(delivery, more):
    token = make_token(delivery, KEY)
    for altered in (token + more, more + token, "0" + token, token[1:], token[:-1], token.swapcase()):
        assert altered == token or read_token(altered, [KEY]) is None


@given(deliveries, deliveries)
def test_a_signature_cannot_be_moved_to_another_delivery(one, other):
    def number(token: str) -> int:
        value = 0
        for digit in token:
            value = value * 62 + ALPHABET.index(digit)
        return value

    def spell(value: int) -> str:
        digits = ""
        while value:
            value, digit = divmod(value, 62)
            digits = ALPHABET[digit] + digits
        return digits

    moved = other << 80 | number(make_token(one, KEY)) & (1 << 80) - 1
    assert read_token(spell(moved), [KEY]) == (one if one == other else None)


@given(st.text(max_size=40))
def test_whatever_else_is_given_is_refused_and_never_raises(text):
    assert read_token(text, [KEY]) is None


def test_an_old_key_holds_while_it_is_listed():
    token = make_token(7, OLD)
    assert read_token(token, [KEY, OLD]) == 7
    assert read_token(token, [KEY]) is None
    assert read_token(token, []) is None


def test_the_signature_is_eighty_bits_of_hmac_sha256():
    value = 0
    for digit in make_token(7, KEY):
        value = value * 62 + ALPHABET.index(digit)
    assert value.to_bytes(11, "big") == b"\x07" + hmac.new(KEY, b"confirm:7", hashlib.sha256).digest()[:10]


@pytest.mark.parametrize("delivery", [0, -1, LARGEST + 1])
def test_a_number_that_no_delivery_has_gets_no_token(delivery):
    with pytest.raises(ValueError, match="positive"):
        make_token(delivery, KEY)
