"""The second factor: six digits of an authenticator app, each of them good once (RFC 6238)."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

import pyotp
import segno

if TYPE_CHECKING:
    from datetime import datetime

SECONDS = 30
"""How long a code is shown."""
_DIGITS = re.compile(r"\d{6}", re.ASCII)
_NEAR = (0, -1, 1)
"""Steps whose code is taken: a clock may be off by one, and typing takes time."""
_GROUP = 4


def new_key() -> str:
    """Return a random key of 160 bits in base32."""
    return pyotp.random_base32()


def step_of(key: str, code: str, now: datetime) -> int | None:
    """Return the time step that a code is of, None where it is wrong at this moment."""
    digits = code.replace(" ", "")
    if not _DIGITS.fullmatch(digits):
        return None
    totp, step = pyotp.TOTP(key), int(now.timestamp()) // SECONDS
    right = [s for n in _NEAR if hmac.compare_digest(totp.generate_otp(s := step + n), digits)]
    return max(right, default=None)


def picture(key: str, login: str, issuer: str) -> str:
    """Return a QR code for authenticator apps as a ``data:`` address for an image."""
    uri = pyotp.TOTP(key).provisioning_uri(name=login, issuer_name=issuer)
    shown: str = segno.make(uri, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    return shown


def spelled(key: str) -> str:
    """Return a key in groups, for those who type it."""
    return " ".join(key[at : at + _GROUP] for at in range(0, len(key), _GROUP))
