"""Who asks: the holder of a live key, with the client certificate that its partner must present.

A key that is wrong, expired, revoked, missing or of a partner that is gone gets the very same
answer after the very same work: one look into the database and one comparison.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.alerts.hazards import Level
from gateway.partners import keys
from gateway.partners.keys import Scope
from gateway.partners.refused import PartnerRefused
from gateway.store import partners as store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.clock import Clock
    from gateway.partners.settings import PartnerSettings
    from gateway.store.database import Database
    from gateway.store.partners import KeyRow

log = structlog.get_logger(__name__)

USE_NOTED = timedelta(minutes=1)
"""How exactly the time of the last use is kept: not every request writes a row."""

_SCHEME = "bearer"
_NO_DIGEST = "0" * 64


class Holder(NamedTuple):
    """Whoever holds a live key."""

    key_id: int
    partner: str
    settings: PartnerSettings
    scope: Scope
    secrets: tuple[bytes, ...]
    """Signing secrets; empty where none of ours is the one that was given out with the key."""

    @property
    def source(self) -> str:
        """What the inbox calls the partner."""
        return f"partner.{self.partner}"


class Access:
    """Tells who asks."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        partners: Mapping[str, PartnerSettings],
        server_keys: Sequence[bytes],
    ) -> None:
        """``server_keys`` are what signing secrets are made from, see :func:`keys.server_keys`."""
        self._database = database
        self._clock = clock
        self._partners = partners
        self._server_keys = server_keys

    async def holder(self, authorization: str | None, certificate: bytes | None) -> Holder:
        """Return who holds the key of the header ``Authorization``.

        Args:
            authorization: as it came; None where it was missing or came twice.
            certificate: of the client, verified by our own TLS, in DER; None where there is none.

        Raises:
            PartnerRefused: with status 401 and always the same sentence.
        """
        scheme, _, text = (authorization or "").partition(" ")
        text = text.strip() if scheme.lower() == _SCHEME else ""
        now = self._clock.now()
        async with self._database.begin() as connection:
            row = await store.key(connection, keys.prefix_of(text))
        stored = row.digest if row else _NO_DIGEST
        genuine = hmac.compare_digest(keys.digest(text), stored)
        if row is None or not genuine or not self._is_live(row, now, certificate):
            raise not_admitted()
        await self._note_use(row, now)
        return self._holder(row)

    def _is_live(self, row: KeyRow, now: datetime, certificate: bytes | None) -> bool:
        partner = self._partners.get(row.partner)
        if row.revoked_at is not None or row.expires_at <= now or partner is None:
            return False
        wanted = partner.certificate_fingerprints
        found = hashlib.sha256(certificate).hexdigest() if certificate else None
        if wanted and found not in wanted:
            log.warning("partner without its client certificate", partner=row.partner, presented=found)
            return False
        return True

    async def _note_use(self, row: KeyRow, now: datetime) -> None:
        if row.last_used_at is None or now - row.last_used_at >= USE_NOTED:
            async with self._database.begin() as connection:
                await store.used(connection, row.id, now)

    def _holder(self, row: KeyRow) -> Holder:
        scope = Scope(tuple(row.scopes), tuple(row.regions), tuple(row.hazards), Level(row.highest_level))
        secrets = tuple(
            secret
            for one in self._server_keys
            if hashlib.sha256(secret := keys.signing_secret(one, row.prefix)).hexdigest() == row.secret_digest
        )
        if not secrets:
            log.error("partner key was made under another secrets.partner_key", partner=row.partner)
        return Holder(row.id, row.partner, self._partners[row.partner], scope, secrets)


def not_admitted() -> PartnerRefused:
    """Return the one answer to every key that does not hold."""
    return PartnerRefused(
        401,
        "not_admitted",
        "the API key is missing, wrong, expired or revoked, or the client certificate is not the one agreed: "
        "send Authorization: Bearer tk_..., and ask the gateway's operator where it should hold",
        WWW_Authenticate="Bearer",
    )
