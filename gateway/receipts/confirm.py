"""The token in a responsible person's confirm link: who holds it may confirm that one delivery.

A token is the delivery's number and the first 80 bits of an HMAC-SHA256 over it, written as one
number in base 62. For up to 16 million deliveries it takes 18 characters of a text that is paid
for by its length. It has letters and digits only, because phones that turn addresses in a text
into links drop a final ``-``.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_MAC_BYTES = 10
_MAC_BITS = 8 * _MAC_BYTES
_LARGEST = 2**63 - 1
_LONGEST = 25
"""Characters of a token for the largest number a delivery can have."""


def make_token(delivery_id: int, key: bytes) -> str:
    """Return the token of a delivery.

    Args:
        delivery_id: from 1.
        key: the newest of the keys that :func:`read_token` is given.
    """
    if not 0 < delivery_id <= _LARGEST:
        raise ValueError("a delivery's number is positive and fits 63 bits")
    return _write(delivery_id << _MAC_BITS | int.from_bytes(_mac(delivery_id, key), "big"))


def read_token(token: str, keys: Sequence[bytes]) -> int | None:
    """Return the delivery that a token confirms, or None where no key made the token.

    Every key is tried and compared in constant time, so that nothing is learnt from how long
    a refusal takes. Each delivery has one spelling: a longer or otherwise altered one is refused.
    """
    if not 0 < len(token) <= _LONGEST:
        return None
    number = _read(token)
    delivery_id = (number or 0) >> _MAC_BITS
    if number is None or not 0 < delivery_id <= _LARGEST or token[0] == _DIGITS[0]:
        return None
    mac = (number & (1 << _MAC_BITS) - 1).to_bytes(_MAC_BYTES, "big")
    genuine = [hmac.compare_digest(_mac(delivery_id, key), mac) for key in keys]
    return delivery_id if any(genuine) else None


def _mac(delivery_id: int, key: bytes) -> bytes:
    # The prefix keeps this apart from whatever else the same key may ever sign.
    return hmac.digest(key, b"confirm:%d" % delivery_id, "sha256")[:_MAC_BYTES]


def _write(number: int) -> str:
    pairs = []
    while number:
        number, pair = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs)).removeprefix("0")


def _read(token: str) -> int | None:
    number = 0
    for digit in token:
        value = _VALUES.get(digit)
        if value is None:
            return None
        number = number * len(_DIGITS) + value
    return number
