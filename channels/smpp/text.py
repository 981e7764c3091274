"""SMS text: GSM 7-bit or UCS-2, and its cutting into parts.

Sources: 3GPP TS 23.038 section 6.2.1 (default alphabet and its extension table), TS 23.040
section 9.2.3.24.1 (concatenation, 8-bit reference). SMPP carries GSM text as one septet an
octet (data_coding 0) and UCS-2 as UTF-16 big-endian (data_coding 8).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

GSM_CODING = 0
UCS2_CODING = 8

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = "\x1b"
_EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F,
    "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
_ENCODE = {ord(char): chr(code) for code, char in enumerate(_BASIC) if char != _ESCAPE}
_ENCODE |= {ord(char): _ESCAPE + chr(code) for char, code in _EXTENSION.items()}
_DECODE_EXTENSION = {code: char for char, code in _EXTENSION.items()}
_GSM = frozenset(map(chr, _ENCODE))

_ZWJ = "\u200d"
_JOINERS = frozenset("\u200c\u200d\uff9e\uff9f")


class Coding(NamedTuple):
    """One way to write a text, with the room that a message and a part of one have."""

    data_coding: int
    single: int
    part: int
    unit: str


GSM = Coding(GSM_CODING, 160, 153, "GSM-7 septets")
UCS2 = Coding(UCS2_CODING, 70, 67, "UTF-16 units")


def coding_of(text: str) -> Coding:
    """Return GSM-7 where every character of the text has a place in it, else UCS-2."""
    return GSM if _GSM.issuperset(text) else UCS2


def size(text: str, coding: Coding) -> int:
    """Return the length of the text in the coding's unit."""
    if coding is GSM:
        return len(text.translate(_ENCODE))
    return len(text) + sum(char > "\uffff" for char in text)


def encode(text: str, coding: Coding) -> bytes:
    """Return the octets that SMPP carries for the text; UnicodeEncodeError for a lone surrogate."""
    if coding is GSM:
        return text.translate(_ENCODE).encode("latin-1")
    return text.encode("utf-16-be")


def decode(octets: bytes, data_coding: int) -> str:
    """Return the text of the octets of a message, leniently: what cannot be read becomes U+FFFD."""
    if data_coding == UCS2_CODING:
        return octets.decode("utf-16-be", "replace")
    if data_coding == GSM_CODING:
        return _decode_gsm(octets)
    return octets.decode("latin-1")


def _decode_gsm(octets: bytes) -> str:
    text, escaped = [], False
    for code in octets:
        if escaped:
            text.append(_DECODE_EXTENSION.get(code, " "))
            escaped = False
        elif code == ord(_ESCAPE):
            escaped = True
        else:
            text.append(_BASIC[code] if code < len(_BASIC) else "\ufffd")
    return "".join(text)


def split(text: str, coding: Coding) -> list[str]:
    """Cut the text into the fewest parts that keep what a reader sees as one sign in one part.

    Only a sign that is longer than a whole part (a thousand combining marks) is cut, between
    code points. Joined, the parts are the text, to the last character.
    """
    if size(text, coding) <= coding.single:
        return [text]
    parts: list[str] = []
    part: list[str] = []
    room = coding.part
    for piece in _pieces(text, coding):
        length = size(piece, coding)
        if length > room:
            parts.append("".join(part))
            part, room = [], coding.part
        part.append(piece)
        room -= length
    return [*parts, "".join(part)]


def _pieces(text: str, coding: Coding) -> Iterator[str]:
    for cluster in clusters(text):
        if size(cluster, coding) <= coding.part:
            yield cluster
        else:
            yield from cluster


def clusters(text: str) -> Iterator[str]:
    """Yield what a reader sees as one sign (after UAX #29, without its Indic conjunct rule)."""
    start = 0
    for at in range(1, len(text)):
        if not _joins(text, start, at):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _joins(text: str, start: int, at: int) -> bool:
    before, char = text[at - 1], text[at]
    if char < "\u0300":
        return before == "\r" and char == "\n"
    if _extends(char) or (before == _ZWJ and unicodedata.category(char) == "So"):
        return True
    if _is_flag_letter(char):
        return _is_flag_letter(before) and (at - start) % 2 == 1
    return _is_jamo(char) and (_is_jamo(before) or "\uac00" <= before <= "\ud7a3")


def _extends(char: str) -> bool:
    return (
        unicodedata.category(char)[0] == "M"
        or char in _JOINERS
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags, as in the flag of Scotland
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_jamo(char: str) -> bool:
    return "\u1100" <= char <= "\u11ff"


def header(reference: int, total: int, number: int) -> bytes:
    """Return the user data header of one part: number counts from 1."""
    return bytes([5, 0, 3, reference & 0xFF, total, number])


def encoded_parts(text: str, reference: int) -> tuple[Coding, list[bytes]]:
    """Return the coding and the octets of each short_message, with headers where there are several."""
    coding = coding_of(text)
    parts = split(text, coding)
    if len(parts) == 1:
        return coding, [encode(text, coding)]
    total = len(parts)
    return coding, [
        header(reference, total, number) + encode(part, coding) for number, part in enumerate(parts, start=1)
    ]


def count_parts(text: str) -> int:
    """Return what the text counts for in an operator's rate and bill."""
    return len(split(text, coding_of(text)))


def take_header(octets: bytes) -> tuple[tuple[int, int, int] | None, bytes]:
    """Return ((reference, total, number), text octets) of a part with a user data header.

    Understands the 8-bit (IEI 0) and the 16-bit reference (IEI 8); the first is None where the
    header holds neither.
    """
    if not octets:
        return None, octets
    end = min(1 + octets[0], len(octets))
    at, found = 1, None
    while at + 2 <= end:
        kind, length = octets[at], octets[at + 1]
        value = octets[at + 2 : at + 2 + length]
        if (kind, len(value)) in {(0, 3), (8, 4)}:
            found = (int.from_bytes(value[:-2], "big"), value[-2], value[-1])
        at += 2 + length
    return found, octets[end:]
