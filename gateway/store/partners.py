"""The statements of the partner API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, insert, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.store.incoming_tables import incoming
from gateway.store.partner_tables import partner_keys, partner_nonces, partner_pushes, partner_requests
from gateway.store.tables import alerts, counters, releases

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.alerts.model import AlertKey

REQUESTS_KEPT_DAYS = 7
"""How long an Idempotency-Key is remembered."""

_SWEEP = 100
"""Old rows that one request clears away: more than it adds, and too few to be felt."""


class KeyRow(NamedTuple):
    """One key, as in :data:`gateway.store.partner_tables.partner_keys`."""

    id: int
    partner: str
    prefix: str
    digest: str
    secret_digest: str
    scopes: list[str]
    regions: list[str]
    hazards: list[str]
    highest_level: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class Named(NamedTuple):
    """A message in the inbox that another one is about."""

    source: str
    sender: str
    identifier: str
    content: dict[str, Any]
    """The alert, as JSON."""


class Before(NamedTuple):
    """What an earlier request under the same Idempotency-Key left."""

    fingerprint: str
    status: int | None
    """None while it is under way."""
    answer: str | None


# --- keys ---


async def add_key(
    connection: AsyncConnection,
    partner: str,
    prefix: str,
    digest: str,
    secret_digest: str,
    scope: Any,  # noqa: ANN401 - gateway.partners.keys.Scope, of a room above
    at: datetime,
    expires: datetime,
) -> None:
    """Insert a key; its scope has scopes, regions, hazards and highest_level."""
    await connection.execute(
        insert(partner_keys).values(
            partner=partner,
            prefix=prefix,
            digest=digest,
            secret_digest=secret_digest,
            scopes=list(scope.scopes),
            regions=list(scope.regions),
            hazards=list(scope.hazards),
            highest_level=str(scope.highest_level),
            created_at=at,
            expires_at=expires,
        )
    )


async def live_keys(connection: AsyncConnection, partner: str, at: datetime) -> int:
    """Return how many keys of a partner are neither revoked nor expired."""
    live = (partner_keys.c.revoked_at.is_(None)) & (partner_keys.c.expires_at > at)
    asked = select(func.count()).where(partner_keys.c.partner == partner, live)
    return int((await connection.execute(asked)).scalar_one())


async def key(connection: AsyncConnection, prefix: str) -> KeyRow | None:
    """Return the key of a prefix, live or not."""
    row = (await connection.execute(select(partner_keys).where(partner_keys.c.prefix == prefix))).first()
    return KeyRow(*row) if row else None


async def keys(connection: AsyncConnection) -> list[KeyRow]:
    """Return every key, by partner, the newest first."""
    asked = select(partner_keys).order_by(partner_keys.c.partner, partner_keys.c.id.desc())
    return [KeyRow(*row) for row in await connection.execute(asked)]


async def revoke(connection: AsyncConnection, key_id: int, at: datetime) -> bool:
    """End a key; return whether it was not ended before."""
    one = (partner_keys.c.id == key_id) & partner_keys.c.revoked_at.is_(None)
    return bool((await connection.execute(update(partner_keys).where(one).values(revoked_at=at))).rowcount)


async def used(connection: AsyncConnection, key_id: int, at: datetime) -> None:
    """Note that a key was used."""
    await connection.execute(update(partner_keys).where(partner_keys.c.id == key_id).values(last_used_at=at))


# --- nonces ---

_OLD_NONCES = text(
    """
    DELETE FROM partner_nonces WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM partner_nonces WHERE expires_at < :now LIMIT :most FOR UPDATE SKIP LOCKED))
    """
)


async def claim_nonce(
    connection: AsyncConnection, key_id: int, nonce: str, expires: datetime, now: datetime
) -> bool:
    """Take a nonce for good; return False where it was taken before. Of a race exactly one gets True."""
    row = upsert(partner_nonces).values(key_id=key_id, nonce=nonce, expires_at=expires)
    taken = await connection.execute(row.on_conflict_do_nothing().returning(partner_nonces.c.key_id))
    if taken.first() is None:
        return False
    await connection.execute(_OLD_NONCES, {"now": now, "most": _SWEEP})
    return True


# --- idempotency ---

# A lease that ran out belongs to a process that died: whoever comes next takes it over.
_CLAIM = text(
    """
    INSERT INTO partner_requests AS r (partner, idempotency_key, fingerprint, started_at, lease_until)
    VALUES (:partner, :key, :fingerprint, now(), now() + :lease)
    ON CONFLICT (partner, idempotency_key) DO UPDATE SET lease_until = excluded.lease_until
        WHERE r.answer IS NULL AND r.fingerprint = excluded.fingerprint AND r.lease_until <= now()
    RETURNING partner
    """
)
_OLD_REQUESTS = text(
    """
    DELETE FROM partner_requests WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM partner_requests WHERE started_at < now() - make_interval(days => :days)
        LIMIT :most FOR UPDATE SKIP LOCKED))
    """
)


async def claim_request(
    connection: AsyncConnection, partner: str, key: str, fingerprint: str, lease: timedelta
) -> Before | None:
    """Begin a request and return None, or return what another one under the same key left."""
    values = {"partner": partner, "key": key, "fingerprint": fingerprint, "lease": lease}
    if (await connection.execute(_CLAIM, values)).first() is not None:
        await connection.execute(_OLD_REQUESTS, {"days": REQUESTS_KEPT_DAYS, "most": _SWEEP})
        return None
    columns = partner_requests.c
    asked = select(columns.fingerprint, columns.status, columns.answer).where(*_request(partner, key))
    row = (await connection.execute(asked)).first()
    return Before(*row) if row else Before(fingerprint, None, None)


async def finish_request(
    connection: AsyncConnection, partner: str, key: str, status: int, answer: str
) -> None:
    """Keep the answer, for every later request under the same key."""
    unfinished = (*_request(partner, key), partner_requests.c.answer.is_(None))
    await connection.execute(update(partner_requests).where(*unfinished).values(status=status, answer=answer))


async def drop_request(connection: AsyncConnection, partner: str, key: str) -> None:
    """Forget a request that came to nothing, so that it may be tried again at once."""
    unfinished = (*_request(partner, key), partner_requests.c.answer.is_(None))
    await connection.execute(partner_requests.delete().where(*unfinished))


def _request(partner: str, key: str) -> tuple[Any, Any]:
    return partner_requests.c.partner == partner, partner_requests.c.idempotency_key == key


# --- what was pushed ---


async def note_push(
    connection: AsyncConnection, partner: str, incoming_id: int, key_id: int, at: datetime
) -> None:
    """Note that a partner pushed an alert; twice is fine."""
    row = upsert(partner_pushes).values(partner=partner, incoming_id=incoming_id, key_id=key_id, pushed_at=at)
    await connection.execute(row.on_conflict_do_nothing())


def _pushed(partner: str) -> Select[Any]:
    """Return the question for what a partner pushed; what became of others' alerts is left out."""
    first = incoming.c.source == f"partner.{partner}"
    return (
        select(
            partner_pushes.c.id.label("number"),
            partner_pushes.c.pushed_at,
            *(one for one in incoming.c if one.name not in {"content", "original", "digest", "meaning"}),
            first.label("first"),
            alerts.c.identifier.label("our_identifier"),
            alerts.c.sender.label("our_sender"),
            alerts.c.state.label("our_state"),
            alerts.c.hazard,
            alerts.c.level,
            alerts.c.mode,
            releases.c.id.label("release_id"),
            releases.c.reference,
            releases.c.state.label("release_state"),
            releases.c.released_at.label("left_at"),
        )
        .join(incoming, incoming.c.id == partner_pushes.c.incoming_id)
        .outerjoin(alerts, (alerts.c.id == incoming.c.alert_id) & first)
        .outerjoin(releases, releases.c.alert_id == alerts.c.id)
        .where(partner_pushes.c.partner == partner)
    )


async def pushed(connection: AsyncConnection, partner: str, incoming_id: int) -> Any:  # noqa: ANN401 - a row
    """Return one alert that a partner pushed, with what became of it; None where it pushed no such one."""
    asked = _pushed(partner).where(partner_pushes.c.incoming_id == incoming_id)
    return (await connection.execute(asked)).first()


async def pushes(connection: AsyncConnection, partner: str, limit: int, before: int | None) -> Sequence[Any]:
    """Return what a partner pushed, the newest first, older than the push numbered ``before``."""
    asked = _pushed(partner).order_by(partner_pushes.c.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(partner_pushes.c.id < before)
    rows: Sequence[Any] = (await connection.execute(asked)).all()
    return rows


async def named(connection: AsyncConnection, names: Collection[tuple[str, str]]) -> list[Named]:
    """Return the messages of these (sender, identifier), whoever brought them."""
    columns = (incoming.c.source, incoming.c.sender, incoming.c.identifier, incoming.c.content)
    asked = select(*columns).where(tuple_(incoming.c.sender, incoming.c.identifier).in_(names))
    return [Named(*row) for row in await connection.execute(asked)]


async def source_of(connection: AsyncConnection, key: AlertKey, meaning: str) -> str | None:
    """Return by whose rule the message of this key that says this is treated; None where none came in."""
    same = (incoming.c.sender == key.sender) & (incoming.c.identifier == key.identifier)
    asked = select(incoming.c.source).where(same, incoming.c.sent == key.sent, incoming.c.meaning == meaning)
    source: str | None = (await connection.execute(asked)).scalar()
    return source


async def deliveries(connection: AsyncConnection, release: int) -> Sequence[Any]:
    """Return (channel, region, state, count) of a release, from the counters."""
    asked = (
        select(counters.c.channel, counters.c.region, counters.c.state, counters.c.count)
        .where(counters.c.release_id == release, counters.c.count != 0)
        .order_by(counters.c.channel, counters.c.region, counters.c.state)
    )
    return (await connection.execute(asked)).all()


_OUTLINES = text(
    """
    SELECT geometry FROM regions
    WHERE geometry IS NOT NULL AND EXISTS (
        SELECT FROM unnest(CAST(:prefixes AS text[])) AS prefix WHERE starts_with(code, prefix))
    """
)


async def outlines(connection: AsyncConnection, prefixes: Sequence[str]) -> list[bytes]:
    """Return the borders, as WKB, of the regions whose code begins with one of these."""
    return list((await connection.execute(_OUTLINES, {"prefixes": list(prefixes)})).scalars())
