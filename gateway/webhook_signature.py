"""Signatures of webhooks as in Standard Webhooks 1.0 (standardwebhooks.com), for both directions. Pure.

The headers are ``webhook-id``, ``webhook-timestamp`` (Unix seconds) and ``webhook-signature``: one or
several ``v1,<base64>`` with a space between. What is signed is ``<id>.<timestamp>.<body>``, by HMAC-SHA256.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
TOLERANCE = 300.0
"""Seconds that the sender's clock may be off ours."""
PREFIX = "whsec_"
"""Begins a secret that is written in base64."""

_LEAST_SECRET = 24
_MOST_SIGNATURES = 16
# Without a full stop: it would let the end of an id pass for a timestamp, and a timestamp for a body.
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_STAMP = re.compile(r"[0-9]{1,12}")


class SignatureRefused(Exception):
    """A webhook is not proved to come from who should have sent it; the text is for its sender."""


def secret_bytes(text: str) -> bytes:
    """Return the secret that a text stands for: ``whsec_`` and base64, else the characters themselves.

    Raises:
        ValueError: it is no base64, or shorter than 24 bytes.
    """
    if not text.startswith(PREFIX):
        secret = text.encode()
    else:
        bare = text.removeprefix(PREFIX).rstrip("=")
        try:
            secret = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except binascii.Error:
            raise ValueError(f"what follows {PREFIX} is not base64") from None
    if len(secret) < _LEAST_SECRET:
        raise ValueError(f"a webhook secret has at least {_LEAST_SECRET} bytes; try: openssl rand -base64 32")
    return secret


def stamp(timestamp: datetime) -> str:
    """Return the header of a moment: whole Unix seconds; raises ValueError without a time zone."""
    if timestamp.tzinfo is None:
        raise ValueError("a webhook is signed with an aware time: add a time zone")
    return str(int(timestamp.timestamp()))


def sign(secret: bytes, msg_id: str, timestamp: datetime, body: bytes) -> str:
    """Return ``v1,<base64>``: one signature of the header ``webhook-signature``.

    Args:
        secret: the bytes of the secret, see :func:`secret_bytes`.
        msg_id: the header ``webhook-id``; the same each time that a message is sent again.
        timestamp: the moment of this try, in any time zone.
        body: the bytes as they are sent.

    Raises:
        ValueError: the id has other characters than letters, digits, ``_`` and ``-``, or the time no zone.
    """
    if not _MESSAGE_ID.fullmatch(msg_id):
        raise ValueError("a webhook id has 1 to 128 letters, digits, _ and -")
    return _signed(secret, msg_id, stamp(timestamp), body)


def verify(
    secrets: Sequence[bytes],
    msg_id: str | None,
    timestamp: str | None,
    signature: str | None,
    body: bytes,
    now: datetime,
) -> datetime:
    """Check who sent a webhook, before anything of it is read, and return when it was signed, in UTC.

    Whoever must not take a message twice keeps its id for twice :data:`TOLERANCE`.

    Args:
        secrets: the live secrets: one, or the new and the old one during a change.
        msg_id: the header as it came; ``None`` where it was missing.
        timestamp: likewise.
        signature: likewise.
        body: the bytes as they came.
        now: our time.

    Raises:
        SignatureRefused: a header is missing or malformed, no signature matches, or the time is too far off.
    """
    if not msg_id or not _MESSAGE_ID.fullmatch(msg_id):
        raise SignatureRefused(f"{ID} must have 1 to 128 letters, digits, _ and -")
    if not timestamp or not _STAMP.fullmatch(timestamp):
        raise SignatureRefused(f"{TIMESTAMP} must be the Unix time in whole seconds")
    given = [one.encode() for one in (signature or "").split(" ") if one.startswith("v1,")]
    if not 0 < len(given) <= _MOST_SIGNATURES:
        raise SignatureRefused(f"{SIGNATURE} must have 1 to {_MOST_SIGNATURES} signatures v1,<base64>")
    due = [_signed(secret, msg_id, timestamp, body).encode() for secret in secrets]
    if not any([hmac.compare_digest(one, other) for one in due for other in given]):  # noqa: C419 - each is compared, so that time tells nothing
        raise SignatureRefused(
            f"{SIGNATURE} does not match: check the secret and that the body is sent as signed"
        )
    # Told only to a genuine sender: a stranger needs no hint about our clock.
    if abs(int(timestamp) - now.timestamp()) > TOLERANCE:
        raise SignatureRefused(f"{TIMESTAMP} is more than {TOLERANCE:g} s off our clock: set yours by NTP")
    return datetime.fromtimestamp(int(timestamp), UTC)


def _signed(secret: bytes, msg_id: str, timestamp: str, body: bytes) -> str:
    digest = hmac.digest(secret, f"{msg_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
