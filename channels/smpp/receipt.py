"""Delivery receipts: their text, their TLVs, their ids and dates.

Source: SMPP v3.4 Issue 1.2, Appendix B (text form), 5.3.2.12 (receipted_message_id) and
5.3.2.35 (message_state). The text form is a custom rather than a rule, so it is read
leniently: any order, any case, missing fields.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, tzinfo
from typing import Literal, TypeAlias

from channels.base import Proof, Receipt, mask
from channels.smpp.codec import ESM_NOTIFICATION, ESM_RECEIPT, ESM_TYPE, TAG_RECEIPTED_ID, TAG_STATE

IdForm: TypeAlias = Literal["exact", "hex", "decimal", "hex-decimal"]

STATES: dict[bytes, Proof] = {
    b"DELIVRD": Proof.DELIVERED,
    b"DELIVERED": Proof.DELIVERED,
    b"UNDELIV": Proof.REJECTED,
    b"REJECTD": Proof.REJECTED,
    b"DELETED": Proof.REJECTED,
    b"EXPIRED": Proof.EXPIRED,
    b"ACCEPTED": Proof.ACCEPTED,
    b"ACCEPTD": Proof.ACCEPTED,
    b"ENROUTE": Proof.ACCEPTED,
    b"SCHEDULED": Proof.ACCEPTED,
    b"BUFFRED": Proof.ACCEPTED,
    b"BUFFERED": Proof.ACCEPTED,
    b"UNKNOWN": Proof.UNKNOWN,
}
"""``stat:`` of the text form; anything else (MK:0012 and the like) is a vendor's word for a failure."""

STATE_NUMBERS: dict[int, bytes] = {
    0: b"SCHEDULED", 1: b"ENROUTE", 2: b"DELIVRD", 3: b"EXPIRED", 4: b"DELETED",
    5: b"UNDELIV", 6: b"ACCEPTD", 7: b"UNKNOWN", 8: b"REJECTD", 9: b"SKIPPED",
}  # fmt: skip
"""message_state, as the words of the text form; 0 and 9 came with SMPP 5.0 (4.7.15)."""

_USUAL = re.compile(
    rb"id:([^ ]*) sub:\d* dlvrd:\d* submit date:\d* done date:(\d*) stat:([A-Z]*) err:([^ ]*)"
)
_FIELD = re.compile(rb"(id|done ?date|stat|err)\s*:\s*(\S*)", re.IGNORECASE)
_HEX = re.compile(r"(?:0x)?([0-9a-f]+)")
_MAX_DATES = 10_000
_MAX_RAW = 1_000
MAX_ID = 65
"""Longest message id of the standard, in octets."""


def normalise(ref: str, form: Literal["exact", "hex", "decimal"]) -> str:
    """Return a message id in the one form in which answers and receipts can be compared.

    Case and leading zeros never matter. ``hex`` and ``decimal`` say in which base the id is
    written; both give the number in decimal, so that an SMSC that answers in hex and reports
    in decimal is understood. An id that is no such number is compared as it is, and one longer
    than the standard allows by its hash.
    """
    plain = ref.strip().lower()
    if len(plain) > MAX_ID:
        return hashlib.sha256(plain.encode()).hexdigest()
    if form == "hex":
        number = _HEX.fullmatch(plain)
        if number:
            return str(int(number[1], 16))
    return plain.lstrip("0") or plain[-1:]


def response_form(form: IdForm) -> Literal["exact", "hex", "decimal"]:
    """Return how ids in submit_sm_resp are written."""
    return "hex" if form == "hex-decimal" else form


def receipt_form(form: IdForm) -> Literal["exact", "hex", "decimal"]:
    """Return how ids in receipts are written."""
    return "decimal" if form == "hex-decimal" else form


class ReceiptReader:
    """Turns deliver_sm bodies into receipts, for one route's id form and time zone."""

    def __init__(self, form: IdForm, zone: tzinfo) -> None:
        """Keep how the SMSC writes ids in receipts and in which zone its dates are."""
        self._form = receipt_form(form)
        self._zone = zone
        self._dates: dict[bytes, datetime | None] = {}

    def read(self, payload: bytes, tlvs: dict[int, bytes], source: bytes) -> Receipt:
        """Return the receipt; ``source`` is the phone number it is about, which is masked in ``raw``.

        TLVs count for more than the text, because their form is fixed by the standard.
        """
        usual = _USUAL.match(payload)
        if usual:
            ref, done, stat, err = usual.groups()
        else:
            ref, done, stat, err = _lenient(payload)
        if tlvs:
            ref = tlvs.get(TAG_RECEIPTED_ID, ref).rstrip(b"\0")
            number = tlvs.get(TAG_STATE)
            if number:
                stat = STATE_NUMBERS.get(number[0], stat)
        state = STATES.get(stat)
        if state is None:
            state = _odd_state(stat)
        return Receipt(
            state,
            normalise(ref.decode("latin-1"), self._form),
            None,
            "" if state is Proof.DELIVERED else _code(stat, err),
            self._date(done),
            _masked(payload, source),
        )

    def _date(self, done: bytes) -> datetime | None:
        try:
            return self._dates[done]
        except KeyError:
            # Dates have minutes or seconds at most, so thousands of receipts share one.
            if len(self._dates) >= _MAX_DATES:
                self._dates.clear()
            self._dates[done] = date = _date(done, self._zone)
            return date


def is_receipt(esm_class: int, payload: bytes, tlvs: dict[int, bytes], *, by_words: bool = False) -> bool:
    """Tell a receipt from a person's message, by what only the SMSC can set.

    ``by_words`` also believes the words, which any person can write: for an SMSC that marks nothing.
    A person's acknowledgement (esm_class 0x08 and 0x10, section 5.2.12) is a message.
    """
    kind = esm_class & ESM_TYPE
    if kind:
        return kind in (ESM_RECEIPT, ESM_NOTIFICATION)
    return TAG_RECEIPTED_ID in tlvs or (
        by_words and payload[:3].lower() == b"id:" and b"stat:" in payload.lower()
    )


def _lenient(payload: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    # What follows "text:" is the message's own beginning and may hold anything.
    told = re.split(rb"\btext:", payload, maxsplit=1, flags=re.IGNORECASE)[0]
    for name, value in _FIELD.findall(told):
        fields.setdefault(name.lower().replace(b" ", b""), value)
    return (
        fields.get(b"id", b""),
        fields.get(b"donedate", b""),
        fields.get(b"stat", b"").upper(),
        fields.get(b"err", b""),
    )


def _odd_state(stat: bytes) -> Proof:
    return Proof.REJECTED if stat else Proof.UNKNOWN


def _code(stat: bytes, err: bytes) -> str:
    words = [word.decode("latin-1") for word in (stat, err) if word.strip(b"0")]
    return " ".join(words)


def _date(done: bytes, zone: tzinfo) -> datetime | None:
    forms = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}
    if len(done) not in forms or not done.isdigit():
        return None
    try:
        return datetime.strptime(done.decode(), forms[len(done)]).replace(tzinfo=zone)
    except ValueError:
        return None


def _masked(payload: bytes, source: bytes) -> str:
    text = payload.decode("latin-1")
    number = source[-11:].decode("latin-1")
    if number and number in text:
        text = text.replace(number, mask(number))
    return text[:_MAX_RAW]
