"""Idempotency-Key: a request that is sent again gets the first one's answer, and nothing happens twice.

The key's row is written before the alert is taken and the answer together with what the partner
may see of it. A process that dies in between leaves a lease that runs out; whoever sends the
request again then takes the alert again, which the inbox knows by its CAP key and keeps once.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.partners.refused import PartnerRefused
from gateway.store import partners as store

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~]{1,128}$"
LEASE = timedelta(seconds=30)
"""How long a request that gave no answer is thought to be under way; longer than any request may take."""

_KEY = re.compile(PATTERN.strip("^$"), re.ASCII)


class Answer(NamedTuple):
    """What a request was answered."""

    status: int
    text: str
    """JSON."""
    replayed: bool = False


class Once(NamedTuple):
    """One request under its Idempotency-Key."""

    partner: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, partner: str, key: str | None, payload: bytes) -> Once:
        """Return the request of a partner; ``payload`` is its method, address and body.

        Raises:
            PartnerRefused: with status 400, where the header is missing or malformed.
        """
        if key is None or not _KEY.fullmatch(key):
            raise PartnerRefused(
                400,
                "idempotency_key",
                f"send one {HEADER} of 1 to 128 printable ASCII characters, for example a UUID, and the same "
                "again when you repeat the request",
            )
        return cls(partner, key, hashlib.sha256(payload).hexdigest())

    async def begin(self, database: Database, lease: timedelta = LEASE) -> Answer | None:
        """Return the answer that the request got before, or None where it is ours to do.

        Raises:
            PartnerRefused: with status 409, where the key is another request's or the first is under way.
        """
        async with database.begin() as connection:
            before = await store.claim_request(connection, self.partner, self.key, self.fingerprint, lease)
        if before is None:
            return None
        if before.fingerprint != self.fingerprint:
            raise PartnerRefused(
                409, "idempotency_key_reused", f"another request has this {HEADER}: give each one its own"
            )
        if before.answer is None or before.status is None:
            raise PartnerRefused(
                409, "under_way", "the same request is under way: ask again in a moment", Retry_After="1"
            )
        return Answer(before.status, before.answer, replayed=True)

    async def finish(self, connection: AsyncConnection, answer: Answer) -> None:
        """Keep the answer, in the caller's transaction."""
        await store.finish_request(connection, self.partner, self.key, answer.status, answer.text)

    async def drop(self, database: Database) -> None:
        """Forget the request, which came to nothing."""
        async with database.begin() as connection:
            await store.drop_request(connection, self.partner, self.key)
