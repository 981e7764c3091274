"""Sealing anew what an earlier key sealed, so that it can be dropped; and saying how much is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.accounts.sealing import WAY_OUT, Owner, SealBroken
from gateway.desk.steps import SYSTEM, step
from gateway.store import accounts as store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gateway.accounts.sealing import Sealing
    from gateway.desk.policy import Policy
    from gateway.store.accounts import SealedRow
    from gateway.store.database import Database

log = structlog.get_logger(__name__)


class Standing(NamedTuple):
    """Which keys hold the second factors of accounts, those that are offered, and those of invitations."""

    newest: int
    """Sealed with the key that seals."""
    earlier: int
    """Sealed with an earlier key that is given: it is needed still."""
    broken: tuple[str, ...]
    """Logins of those that no key opens, each once; a code of an invitation is ``an invitation``."""


async def standing(database: Database, sealing: Sealing, now: datetime) -> Standing:
    """Return how many second factors which keys hold."""
    async with database.begin() as connection:
        return _told(await store.sealed_keys(connection, now), sealing)


async def reseal(database: Database, policy: Policy, sealing: Sealing, now: datetime) -> tuple[int, Standing]:
    """Seal anew what an earlier key sealed.

    What a person changes at the same moment stays as it is then: that is sealed with the newest key already,
    or by a host that does not have it yet.

    Returns:
        How many were sealed anew, and what stands there afterwards.
    """
    async with step(database, SYSTEM, now, policy) as one:
        await store.forget_begun(one.connection, now)
        rows = await store.sealed_keys(one.connection, now)
        done = [await store.replace_sealed(one.connection, row, text) for row, text in _anew(rows, sealing)]
        if any(done):
            one.record("reseal", "accounts", count=sum(done))
        return sum(done), _told(await store.sealed_keys(one.connection, now), sealing)


async def tell(database: Database, sealing: Sealing, now: datetime) -> None:
    """Write into the log what an operator has to do about keys, if there is anything."""
    found = await standing(database, sealing, now)
    if found.broken:
        log.error("second factors do not open", count=len(found.broken), way_out=WAY_OUT)
    if found.earlier:
        log.info("second factors are sealed with earlier keys", count=found.earlier, way_out=RESEAL)


RESEAL = "tongda account reseal, then drop secrets.old_factor_keys"
"""What an operator does about second factors under earlier keys."""


def _anew(rows: Iterable[SealedRow], sealing: Sealing) -> Iterable[tuple[SealedRow, str]]:
    for row in rows:
        if not sealing.is_newest(row.text) and _opens(row, sealing):
            yield row, sealing.anew(row.text, _owner(row))


def _told(rows: Iterable[SealedRow], sealing: Sealing) -> Standing:
    opens = {row: _opens(row, sealing) for row in rows}
    good = [row for row in opens if opens[row]]
    newest = sum(sealing.is_newest(row.text) for row in good)
    broken = [row for row in opens if not opens[row]]
    names = dict.fromkeys("an invitation" if row.place == "invitation" else row.name for row in broken)
    return Standing(newest, len(good) - newest, tuple(names))


def _opens(row: SealedRow, sealing: Sealing) -> bool:
    try:
        sealing.open(row.text, _owner(row))
    except SealBroken:
        return False
    return True


def _owner(row: SealedRow) -> Owner:
    return Owner(row.place, row.name)
