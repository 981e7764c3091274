"""Signed requests: Standard Webhooks, with the request line in front of the body.

The standard signs ``<webhook-id>.<webhook-timestamp>.<payload>``. A request means more than its
body: the same body may be meant for a dry run or for real. So the payload that is signed here is
the whole request, ``<METHOD> <path>?<query>``, a line feed, and the body as sent. Any library of
the standard makes and checks such a signature; one that was made over a bare body never fits.

The ``webhook-id`` is a nonce: it is taken once, for as long as its timestamp would hold. Nonces
are kept in the database, whose unique key lets exactly one of a race through; where it is away
nothing is taken.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.partners.refused import PartnerRefused
from gateway.store import partners as store
from gateway.webhook_signature import ID, SIGNATURE, TIMESTAMP, TOLERANCE, SignatureRefused, verify

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.partners.access import Holder
    from gateway.store.database import Database

NONCE_KEPT = timedelta(seconds=2 * TOLERANCE)
"""After its timestamp; by then a replay is refused for its age."""


class Request(NamedTuple):
    """A request as far as it is signed."""

    method: str
    target: str
    """Path and query as they stand in the request line."""
    body: bytes
    nonce: str | None
    """The header ``webhook-id``; None where it was missing or came twice. The others likewise."""
    timestamp: str | None
    signature: str | None

    @property
    def payload(self) -> bytes:
        """What is signed after id and timestamp."""
        return payload(self.method, self.target, self.body)

    @property
    def is_signed(self) -> bool:
        """Whether it claims to be signed."""
        return any(one is not None for one in (self.nonce, self.timestamp, self.signature))


def payload(method: str, target: str, body: bytes) -> bytes:
    """Return a request as the bytes that are signed."""
    return f"{method} {target}\n".encode("utf-8", "surrogateescape") + body


def check_signature(holder: Holder, request: Request, now: datetime) -> datetime | None:
    """Return when the request was signed; None where the partner need not sign and did not.

    Raises:
        PartnerRefused: with status 401.
    """
    if not request.is_signed and holder.settings.signature == "optional":
        return None
    given = (request.nonce, request.timestamp, request.signature)
    try:
        return verify(holder.secrets, *given, request.payload, now)
    except SignatureRefused as refused:
        hint = f"{refused}; what is signed is METHOD path?query, a line feed and the body, see /api/v1/docs"
        raise PartnerRefused(401, "signature", hint) from None


async def claim(
    database: Database, holder: Holder, request: Request, signed: datetime, now: datetime
) -> None:
    """Take the request's nonce, for good.

    Raises:
        PartnerRefused: with status 401, where it was taken before.
    """
    assert request.nonce is not None
    async with database.begin() as connection:
        fresh = await store.claim_nonce(connection, holder.key_id, request.nonce, signed + NONCE_KEPT, now)
    if not fresh:
        raise PartnerRefused(
            401,
            "replayed",
            f"a request with this {ID} was taken already: give every try an id, {TIMESTAMP} and {SIGNATURE} "
            "of its own, and keep the Idempotency-Key",
        )
