r"""Frames between gateway and terminals: compact JSON that carries its own signature last.

A frame is ``{...,"sig":"<64 hex digits>"}``. The signature is HMAC-SHA256 with the
terminal's key over ``<purpose>\n<address>\n<body>``, where purpose is ``cmd``, ``ack``,
``status`` or (among the senders, see counter.py) ``counter``, address is
``<area12>/<device>`` and body is the frame with its last 74 bytes (the ``sig`` member and
the closing brace) replaced by ``}``. So a terminal signs and verifies the very bytes that
travel, before it parses any of them; nothing is serialised twice; and a frame cannot be
used for another terminal or another purpose.
"""

from __future__ import annotations

import hmac
from typing import Any, Final, Literal, TypeAlias

import orjson

Purpose: TypeAlias = Literal["cmd", "ack", "status", "counter"]

FRAME_LIMIT: Final = 4096
"""Bytes of the longest frame: what small MQTT clients keep a buffer for."""
_OPEN: Final = b',"sig":"'
_CLOSE: Final = b'"}'
_DIGITS: Final = 64
_TAIL: Final = len(_OPEN) + _DIGITS + len(_CLOSE)
_TAG: Final = 16


class FrameRefused(ValueError):
    """A frame is not genuine or not a frame; ``args[0]`` is a short code for logs and counters."""


def seal(key: bytes, purpose: Purpose, address: str, body: bytes) -> bytes:
    """Return the frame for a body, which must be a compact JSON object with at least one member."""
    return b"".join((body[:-1], _OPEN, _sign(key, purpose, address, body), _CLOSE))


def unseal(key: bytes, purpose: Purpose, address: str, frame: bytes) -> dict[str, Any]:
    """Return the members of a genuine frame, without its signature.

    Raises:
        FrameRefused: ``too-long``, ``unsigned``, ``forged`` or (signed, yet no JSON object) ``garbage``.
    """
    if len(frame) > FRAME_LIMIT:
        raise FrameRefused("too-long")
    tail = frame[-_TAIL:]
    if len(frame) <= _TAIL or not (tail.startswith(_OPEN) and tail.endswith(_CLOSE)):
        raise FrameRefused("unsigned")
    body = frame[:-_TAIL] + b"}"
    if not hmac.compare_digest(tail[len(_OPEN) : -len(_CLOSE)], _sign(key, purpose, address, body)):
        raise FrameRefused("forged")
    return _object(body)


def device_key(fleet_key: bytes, address: str) -> bytes:
    """Return the key that is written into one terminal; the fleet key itself stays in the gateway."""
    return hmac.digest(fleet_key, b"ews device key\n" + address.encode(), "sha256")


def make_ref(fleet_key: bytes, address: str, release: str, delivery: int) -> str:
    """Return the command's id: the same for every copy of a delivery, and not to be guessed.

    Its tag is made with the fleet key, which no terminal has. So an id that a terminal
    gives back proves that the gateway made it for this terminal and this delivery.
    """
    stem = f"{release}.{delivery}"
    return f"{stem}.{_ref_tag(fleet_key, address, stem)}"


def longest_ref(release: str) -> str:
    """Return an id as long as any of this release can be."""
    return f"{release}.{2**63 - 1}.{'0' * _TAG}"


def delivery_of(fleet_key: bytes, address: str, ref: str) -> int | None:
    """Return the delivery that an id was made for, or None where it was not made for this terminal."""
    stem, _, tag = ref.rpartition(".")
    number = stem.rpartition(".")[2]
    genuine = hmac.compare_digest(tag.encode(), _ref_tag(fleet_key, address, stem).encode())
    return int(number) if genuine and number.isascii() and number.isdigit() else None


def _ref_tag(fleet_key: bytes, address: str, stem: str) -> str:
    return hmac.digest(fleet_key, f"ews ref\n{address}\n{stem}".encode(), "sha256").hex()[:_TAG]


def _sign(key: bytes, purpose: Purpose, address: str, body: bytes) -> bytes:
    signed = b"\n".join((purpose.encode(), address.encode(), body))
    return hmac.digest(key, signed, "sha256").hex().encode()


def _object(body: bytes) -> dict[str, Any]:
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise FrameRefused("garbage") from None
    if not isinstance(members, dict):
        raise FrameRefused("garbage")
    return members
