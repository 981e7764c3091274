"""SMPP 3.4 on the wire: framing, the PDUs a sender and an SMSC need, TLVs, status codes.

Source: SMPP Protocol Specification v3.4 Issue 1.2, sections 3.2 (header), 4 (PDUs), 5.1.3
(command status) and 5.3 (optional parameters). All numbers are big-endian; a C-octet string
ends with NUL. Functions work on one ``bytes`` buffer with offsets, because the hot path reads
hundreds of PDUs from a single segment and must not copy each of them first.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from channels.base import Outcome, Rejected, Retry, Throttled

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = struct.Struct(">IIII")
EMPTY_ANSWER = struct.Struct(">IIIIx")
"""A response whose body is one empty string: 17 bytes."""
TLV = struct.Struct(">HH")
HEADER_SIZE = 16
_LENGTH_SIZE = 4
MAX_PDU = 64 * 1024
"""No PDU of ours or of a sane SMSC is longer: a bigger length word means that framing is lost."""

RESPONSE = 0x80000000
GENERIC_NACK = 0x80000000
BIND_RECEIVER = 0x01
BIND_TRANSMITTER = 0x02
SUBMIT_SM = 0x04
DELIVER_SM = 0x05
UNBIND = 0x06
BIND_TRANSCEIVER = 0x09
ENQUIRE_LINK = 0x15
BINDS = frozenset({BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER})
SUBMIT_SM_RESP = SUBMIT_SM | RESPONSE
DELIVER_SM_RESP = DELIVER_SM | RESPONSE
UNBIND_RESP = UNBIND | RESPONSE
ENQUIRE_LINK_RESP = ENQUIRE_LINK | RESPONSE

INTERFACE_VERSION = 0x34
ESM_UDHI = 0x40
ESM_RECEIPT = 0x04
ESM_NOTIFICATION = 0x20
ESM_TYPE = 0x3C
"""Bits of esm_class that tell a receipt or another kind of message from a plain one."""

TAG_RECEIPTED_ID = 0x001E
TAG_PAYLOAD = 0x0424
TAG_STATE = 0x0427

OK = 0x00
BAD_LENGTH = 0x02
BAD_COMMAND = 0x03
BAD_BIND_STATE = 0x04
ALREADY_BOUND = 0x05
BAD_PASSWORD = 0x0E
BAD_SYSTEM_ID = 0x0F
QUEUE_FULL = 0x14
THROTTLED = 0x58
APP_PERMANENT = 0x65

STATUS: dict[int, tuple[type[Rejected | Retry | Throttled], str]] = {
    0x01: (Rejected, "message length is invalid"),
    0x02: (Rejected, "command length is invalid"),
    0x03: (Rejected, "invalid command id"),
    # The session is not what either side thinks it is; the message itself is good.
    0x04: (Retry, "incorrect bind status"),
    0x05: (Retry, "already bound"),
    0x06: (Rejected, "invalid priority"),
    0x07: (Rejected, "invalid registered delivery"),
    0x08: (Retry, "system error"),
    0x0A: (Rejected, "invalid source address"),
    0x0B: (Rejected, "invalid destination address"),
    0x0C: (Rejected, "message id is invalid"),
    0x0D: (Retry, "bind failed"),
    0x0E: (Retry, "invalid password"),
    0x0F: (Retry, "invalid system id"),
    0x14: (Throttled, "message queue full"),
    0x15: (Rejected, "invalid service type"),
    0x40: (Rejected, "invalid destination flag"),
    0x42: (Rejected, "invalid submit with replace"),
    0x43: (Rejected, "invalid esm_class"),
    0x45: (Rejected, "submit failed"),
    0x48: (Rejected, "invalid source ton"),
    0x49: (Rejected, "invalid source npi"),
    0x50: (Rejected, "invalid destination ton"),
    0x51: (Rejected, "invalid destination npi"),
    0x53: (Rejected, "invalid system type"),
    0x54: (Rejected, "invalid replace flag"),
    0x55: (Rejected, "invalid number of messages"),
    0x58: (Throttled, "throttled"),
    0x61: (Rejected, "invalid scheduled delivery time"),
    0x62: (Rejected, "invalid validity period"),
    0x63: (Rejected, "predefined message not found"),
    0x64: (Retry, "temporary error of the receiver"),
    0x65: (Rejected, "permanent error of the receiver"),
    0x66: (Rejected, "rejected by the receiver"),
    0xC0: (Rejected, "invalid optional part"),
    0xC1: (Rejected, "optional parameter not allowed"),
    0xC2: (Rejected, "invalid parameter length"),
    0xC3: (Rejected, "expected optional parameter missing"),
    0xC4: (Rejected, "invalid optional parameter value"),
    0xFE: (Rejected, "delivery failure"),
    0xFF: (Retry, "unknown error"),
}
"""Command status -> what it means for the message. Vendors' own codes are not here: see outcome()."""

RETRY_AFTER = 10.0
"""Seconds before a message that met a passing error is worth another try."""


class FramingError(ValueError):
    """The length word makes no sense: nothing after it can be trusted, the session must end."""


class BodyError(ValueError):
    """One PDU's body does not hold what its command asks for; the session may go on."""


class ShortMessage(NamedTuple):
    """The fields of a submit_sm or deliver_sm body that anyone here needs."""

    source: bytes
    destination: bytes
    esm_class: int
    validity: bytes
    registered: int
    data_coding: int
    payload: bytes
    """short_message, or the message_payload TLV where short_message is empty."""
    tlvs: dict[int, bytes]


def outcome(status: int, after: float = RETRY_AFTER) -> Outcome:
    """Return what an error status of submit_sm_resp means for the message.

    A code that the table does not know (0x400-0x4FF are the vendor's own) is tried again:
    the SMSC did not take the message, and the warning's expiry bounds the tries.
    """
    kind, code = STATUS.get(status, (Retry, ""))[0], code_of(status)
    if kind is Throttled:
        return Throttled(after, code)
    return Rejected(code) if kind is Rejected else Retry(after, code)


def code_of(status: int) -> str:
    """Return a status as it is written in logs and ledgers: ``0x00000058 throttled``."""
    _, name = STATUS.get(status, (None, "vendor's own code"))
    return f"0x{status:08X} {name}"


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """Return one whole PDU."""
    return HEADER.pack(HEADER_SIZE + len(body), command, status, sequence) + body


def frames(buffer: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (command, status, sequence, start of body, end) of each whole PDU in the buffer.

    The caller keeps what follows the last end. Raises :class:`FramingError` for a length
    outside 16 .. 64 KiB, as soon as the length word is there.
    """
    at, size = 0, len(buffer)
    unpack = HEADER.unpack_from
    while size - at >= HEADER_SIZE:
        length, command, status, sequence = unpack(buffer, at)
        if not HEADER_SIZE <= length <= MAX_PDU:
            raise FramingError(f"a PDU claims to be {length} bytes long")
        end = at + length
        if end > size:
            return
        yield command, status, sequence, at + HEADER_SIZE, end
        at = end
    if size - at >= _LENGTH_SIZE:
        length = int.from_bytes(buffer[at : at + _LENGTH_SIZE], "big")
        if not HEADER_SIZE <= length <= MAX_PDU:
            raise FramingError(f"a PDU claims to be {length} bytes long")


def bind_body(system_id: str, password: str, system_type: str) -> bytes:
    """Return the body of bind_transceiver, bind_transmitter and bind_receiver (section 4.1)."""
    names = b"".join(value.encode("ascii") + b"\0" for value in (system_id, password, system_type))
    return names + bytes([INTERFACE_VERSION, 0, 0, 0])


def c_strings(buffer: bytes, at: int, end: int, count: int) -> tuple[list[bytes], int]:
    """Return so many C-octet strings and the offset behind them; raises :class:`BodyError`."""
    found = []
    for _ in range(count):
        zero = buffer.find(0, at, end)
        if zero < 0:
            raise BodyError("a string does not end")
        found.append(buffer[at:zero])
        at = zero + 1
    return found, at


def short_message(buffer: bytes, at: int, end: int) -> ShortMessage:
    """Parse the body of submit_sm or deliver_sm (sections 4.4.1, 4.6.1); raises :class:`BodyError`."""
    index = buffer.index
    try:
        first = index(0, at, end) + 3
        zero = index(0, first, end)
        source = buffer[first:zero]
        first = zero + 3
        zero = index(0, first, end)
        destination = buffer[first:zero]
        esm_class = buffer[zero + 1]
        first = index(0, zero + 4, end) + 1
        zero = index(0, first, end)
        validity = buffer[first:zero]
        registered, _, data_coding, _, length = buffer[zero + 1 : zero + 6]
    except (ValueError, IndexError):
        raise BodyError("the message ends too early") from None
    first = zero + 6
    stop = first + length
    if stop > end:
        raise BodyError("the text is longer than its PDU")
    payload = buffer[first:stop]
    found = tlvs(buffer, stop, end) if stop < end else {}
    if not length and TAG_PAYLOAD in found:
        payload = found[TAG_PAYLOAD]
    return ShortMessage(source, destination, esm_class, validity, registered, data_coding, payload, found)


def tlvs(buffer: bytes, at: int, end: int) -> dict[int, bytes]:
    """Return the optional parameters by tag; of a repeated one the last counts."""
    found = {}
    unpack = TLV.unpack_from
    while end - at >= TLV.size:
        tag, length = unpack(buffer, at)
        at += TLV.size + length
        if at > end:
            break
        found[tag] = buffer[at - length : at]
    if at != end:
        raise BodyError("an optional parameter is longer than its PDU")
    return found


def tlv(tag: int, value: bytes) -> bytes:
    """Return one optional parameter."""
    return TLV.pack(tag, len(value)) + value
