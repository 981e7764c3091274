"""Delivery status notifications (RFC 3464) and plain bounces, turned into receipts.

Nothing here trusts the mail: the delivery it speaks of comes from the signed return path it was
sent to, or from the signed ENVID in it; a report that names neither gives no receipt. A reply
that a person's absence assistant wrote is never taken for proof of anything.
"""

from __future__ import annotations

import binascii
import contextlib
import itertools
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from channels.base import Proof, Receipt, mask, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACTIONS = {
    "delivered": Proof.DELIVERED,
    "relayed": Proof.ACCEPTED,  # handed to a system that reports nothing: no proof of a mailbox
    "expanded": Proof.ACCEPTED,  # went on to a list; each member's fate is told apart, if at all
    "delayed": Proof.ACCEPTED,  # still tried
    "failed": Proof.REJECTED,
}
"""RFC 3464 section 2.3.3."""

EXPIRED = frozenset({"4.4.7", "5.4.7"})
"""Given up because the time ran out (RFC 3463 section 3.5)."""

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": binascii.a2b_base64,
    "quoted-printable": binascii.a2b_qp,
}
MOST_RECIPIENTS = 10
"""Recipients that one report may tell of: a mail of ours has one, whom a mail system may expand to a few."""
_RAW_LIMIT = 4000
_FIELD_LIMIT = 1000
MOST_FIELDS = 50
_TEXT_LIMIT = 20_000
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b", re.ASCII)
_FAILURE_CODE = re.compile(r"\b5\d\d[ -]|\b5\.\d\.\d{1,3}\b", re.ASCII)
_WORD = re.compile(r"[^\s<>;:,()\[\]\"]+")
_DAEMON = re.compile(r"mailer-daemon|postmaster|mail delivery|microsoftexchange", re.IGNORECASE)
_BOUNCE = re.compile(
    r"undeliver|delivery (?:has )?failed|returned mail|failure notice|delivery failure|not be delivered"
    r"|delivery status notification|delivery problem|qmail-send|permanent (?:fatal )?error"
    r"|退信|投递失败|无法投递",
    re.IGNORECASE,
)
_REPLY_MARKS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder")
_ABSENT = re.compile(
    r"(?:auto(?:matic|mated)?[ -]?(?:reply|response)|out of (?:the )?office|自动回复|自動回覆)", re.IGNORECASE
)
_DELAY = re.compile(r"delayed|will be retried|still trying|not yet been delivered|延迟", re.IGNORECASE)


def read_report(mail: bytes, delivery: int | None, read_envid: Callable[[str], int | None]) -> list[Receipt]:
    """Return what a mail to our return path tells; empty where it tells nothing.

    Args:
        mail: the whole message as received; any octets are safe.
        delivery: the delivery that the (verified) address it was sent to names, if any.
        read_envid: returns the delivery of a signed ENVID, or None.

    Returns:
        One receipt for each recipient group with an action we know, :data:`MOST_RECIPIENTS` at
        most. Never raises. Whatever the mail holds, no text over a fixed length is searched.
    """
    try:
        return _read(message_from_bytes(mail), delivery, read_envid)
    except Exception:  # noqa: BLE001 - the library's parser gives way under crafted mail in many ways
        return []


def _read(message: Message, delivery: int | None, read_envid: Callable[[str], int | None]) -> list[Receipt]:
    status = next((part for part in message.walk() if part.get_content_type() in _STATUS_TYPES), None)
    if status is None:
        return [] if delivery is None else _read_plain(message, delivery)
    groups = list(itertools.islice(_groups(status), 1 + MOST_RECIPIENTS))
    if not groups:
        return []
    shared = groups[0]
    if delivery is None:
        delivery = read_envid(_text(shared, "Original-Envelope-Id"))
    if delivery is None:
        return []
    told_at = _when(_text(message, "Date"))
    found = (_receipt(group, shared, delivery, told_at) for group in groups)
    return [receipt for receipt in found if receipt is not None]


def _groups(status: Message) -> Iterator[Message]:
    """Yield the field groups: the one about the message, then one for each recipient."""
    encoding = _text(status, "Content-Transfer-Encoding").lower()
    parsed = [group for group in status.get_payload() if isinstance(group, Message)]
    if status.get_content_type() == _STATUS_TYPES[0] and encoding not in _DECODERS:
        yield from (group for group in parsed if group.keys())
        return
    # The library takes an encoded or international (RFC 6533) part for a message and leaves it as it is.
    octets = b"\n\n".join(group.as_bytes() for group in parsed[: 1 + MOST_RECIPIENTS])
    for block in re.split(rb"\r?\n\r?\n", _DECODERS.get(encoding, bytes)(octets)):
        if block.strip():
            yield message_from_bytes(block.lstrip())


def _receipt(group: Message, shared: Message, delivery: int, told_at: datetime | None) -> Receipt | None:
    action = _text(group, "Action").partition(";")[0].partition(" ")[0].lower()
    state = ACTIONS.get(action)
    if state is None:
        return None
    code = _code(group)
    if state is Proof.REJECTED and (code in EXPIRED or code.startswith("4.")):
        # A failure with a passing cause: the last hop gave up trying.
        state = Proof.EXPIRED
    at = _when(_text(group, "Last-Attempt-Date")) or told_at or _when(_text(shared, "Arrival-Date"))
    return Receipt(state, delivery=delivery, code=code or action, at=at, raw=_evidence(shared, group))


def _evidence(shared: Message, group: Message) -> str:
    """Return the fields as lines; the recipient's first, because what is over the limit is left out."""
    fields = [
        f"{name}: {_flat(str(value)[:_FIELD_LIMIT])}"
        for part in dict.fromkeys((group, shared))
        for name, value in part.items()[:MOST_FIELDS]
    ]
    return _masked("\n".join(fields))


def _code(group: Message) -> str:
    for field in ("Status", "Diagnostic-Code"):
        found = _STATUS.search(_text(group, field))
        if found:
            return found[1]
    return ""


def _read_plain(message: Message, delivery: int) -> list[Receipt]:
    """Judge a mail without a machine-readable part (qmail, old relays)."""
    subject = _text(message, "Subject")
    words = f"{subject}\n{_body(message)}"
    if _is_automatic_reply(message, subject) or not _DAEMON.search(_text(message, "From")):
        return []
    if _DELAY.search(subject):
        state, code = Proof.ACCEPTED, "delayed"
    elif _BOUNCE.search(words) or _FAILURE_CODE.search(words):
        state, code = Proof.REJECTED, "bounce"
    else:
        return []
    raw = _masked(f"From: {_text(message, 'From')}\nSubject: {words}")
    return [Receipt(state, delivery=delivery, code=code, at=_when(_text(message, "Date")), raw=raw)]


def _is_automatic_reply(message: Message, subject: str) -> bool:
    """Tell absence notes and read notices (RFC 8098 and older habits) from bounces.

    ``Auto-Submitted: auto-replied`` does not help: mail systems put it on bounces too (RFC 3834).
    """
    return (
        # A report of another kind than delivery-status: read notices, abuse reports.
        message.get_content_type() == "multipart/report"
        or any(name in message for name in _REPLY_MARKS)
        or _text(message, "Precedence").lower() == "auto_reply"
        or _ABSENT.match(subject) is not None
    )


def _text(message: Message, name: str) -> str:
    """Return the field decoded, in one line; empty where it is missing."""
    value = message.get(name)
    if value is None:
        return ""
    decoded: object = value
    with contextlib.suppress(ValueError, LookupError):  # broken encoded words are read as they stand
        decoded = make_header(decode_header(str(value)[:_FIELD_LIMIT]))
    return _flat(str(decoded)[:_FIELD_LIMIT])


def _flat(value: object) -> str:
    return " ".join(str(value).split())


def _body(message: Message) -> str:
    part = next((part for part in message.walk() if part.get_content_maintype() == "text"), message)
    payload = part.get_payload(decode=True)
    octets = payload[:_TEXT_LIMIT] if isinstance(payload, bytes) else b""
    try:
        return octets.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return octets.decode("utf-8", "replace")


def _when(date: str) -> datetime | None:
    """Return the moment, aware; a date without a zone is UTC (RFC 5322 section 3.3, ``-0000``)."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _masked(text: str) -> str:
    """Return the start of the evidence without control characters and with every address masked."""
    lines = "\n".join(plain_text(line) for line in text[:_RAW_LIMIT].split("\n"))
    return _WORD.sub(_mask_word, lines)[:_RAW_LIMIT]


def _mask_word(word: re.Match[str]) -> str:
    """Return a word, masked where it is an address or, cut off by the limit, may be the start of one."""
    if "@" in word[0]:
        return mask(word[0])
    return "" if word.end() == _RAW_LIMIT else word[0]
