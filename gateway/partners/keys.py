"""Keys of the partner API: ``tk_<prefix>_<256 random bits>``, and the secret that goes with each.

The key says who speaks and travels with every request; the signing secret never does. Of the key
only its SHA-256 is stored: 256 random bits cannot be guessed from a fast hash, so a slow one, as
passwords need it, would only slow down whoever asks. The signing secret is not stored at all: it
is made from the gateway's own ``secrets.partner_key`` and the key's prefix, so that neither a
stolen database nor a stolen key can sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.hazards import Level
from gateway.clock import SYSTEM
from gateway.ops.keys import kept_key
from gateway.store import audit
from gateway.store import partners as store
from gateway.store.desk import hold_name
from gateway.webhook_signature import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.clock import Clock
    from gateway.settings import Settings
    from gateway.store.database import Database
    from gateway.store.partners import KeyRow

SCOPES = ("push", "read")
MOST_LIVE = 2
"""Live keys of one partner: the one in use, and the next one while it changes over."""

_KEY = re.compile(r"tk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_NOBODY = "0" * 12


class KeyRefused(ValueError):
    """A key cannot be made or revoked; the text is for people."""


class Scope(NamedTuple):
    """What one key may do; it narrows the partner's rule and never widens it."""

    scopes: tuple[str, ...] = SCOPES
    regions: tuple[str, ...] = ()
    """Beginnings of division codes; empty: all."""
    hazards: tuple[str, ...] = ()
    """Keys in hazards.toml; empty: all."""
    highest_level: Level = Level.RED

    @property
    def is_narrow(self) -> bool:
        """Whether it depends on what an alert says."""
        return bool(self.regions or self.hazards) or self.highest_level != Level.RED


class NewKey(NamedTuple):
    """A key as it is shown once."""

    prefix: str
    text: str
    secret: str
    """For signing, ``whsec_...``."""


def server_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return what signing secrets are made from, the newest first; the first is made if there is none yet.

    Raises:
        ServiceRefused: the kept key can be read by others or the folder cannot be written.
    """
    given = settings.secrets.partner_key
    own = given.get_secret_value().encode() if given else kept_key(settings.state_dir, "partner_key")
    return own, *(key.get_secret_value().encode() for key in settings.secrets.old_partner_keys)


def make(server_key: bytes) -> NewKey:
    """Return a new key with its signing secret; nothing is stored."""
    prefix = secrets.token_hex(6)
    secret = PREFIX + base64.b64encode(signing_secret(server_key, prefix)).decode()
    return NewKey(prefix, f"tk_{prefix}_{secrets.token_urlsafe(32)}", secret)


def signing_secret(server_key: bytes, prefix: str) -> bytes:
    """Return the signing secret of a key."""
    return hmac.digest(server_key, b"tongda partner signing " + prefix.encode(), "sha256")


def prefix_of(text: str) -> str:
    """Return the prefix of what came as a key; one that no key has, where it has not the form of a key."""
    found = _KEY.fullmatch(text)
    return found[1] if found else _NOBODY


def digest(text: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


async def add(
    database: Database,
    partner: str,
    scope: Scope,
    expires: datetime,
    server_key: bytes,
    clock: Clock = SYSTEM,
    by: str = "system",
) -> NewKey:
    """Store a new key, made by a person or at the server itself, and return it; it cannot be shown again.

    Raises:
        KeyRefused: two keys of the partner are live already, or it would have expired before its use.
    """
    now = clock.now()
    if expires <= now:
        raise KeyRefused("the key would have expired already: give a later --expires")
    made = make(server_key)
    async with database.begin() as connection:
        await hold_name(connection, f"partner {partner}")
        if await store.live_keys(connection, partner, now) >= MOST_LIVE:
            raise KeyRefused(f"{partner} has {MOST_LIVE} live keys already: revoke one of them first")
        secret_digest = hashlib.sha256(signing_secret(server_key, made.prefix)).hexdigest()
        await store.add_key(
            connection, partner, made.prefix, digest(made.text), secret_digest, scope, now, expires
        )
        detail = {"prefix": made.prefix, "expires": expires, **scope._asdict()}
        await audit.append(
            connection,
            actor=by,
            action="partner_key",
            subject=f"partner {partner}",
            detail=detail,
            at=now,
        )
    return made


async def revoke(database: Database, prefix: str, clock: Clock = SYSTEM, by: str = "system") -> KeyRow:
    """End a key at once and return it; ended twice it stays as it was.

    Raises:
        KeyRefused: there is no such key.
    """
    now = clock.now()
    async with database.begin() as connection:
        row = await store.key(connection, prefix)
        if row is None:
            raise KeyRefused(f"there is no key {prefix!r}: see tongda partner key list")
        if await store.revoke(connection, row.id, now):
            await audit.append(
                connection,
                actor=by,
                action="partner_key_revoked",
                subject=f"partner {row.partner}",
                detail={"prefix": prefix},
                at=now,
            )
    return row


async def listed(database: Database) -> Sequence[KeyRow]:
    """Return every key, by partner, the newest first."""
    async with database.begin() as connection:
        return await store.keys(connection)
