"""Guessing is slowed down, and nobody is locked out by a stranger.

Failures are counted for an account together with the address that they come from, and for the
address alone. The pause before the next try doubles; whoever comes from elsewhere is not held up. A
browser that the same person signed in from before is counted by itself, so that a desk whose
machines share one address with a guesser stays open to those who work there.

A try is counted before it is looked at and given back if it was right: a thousand at once are
slowed down like a thousand one after the other.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from gateway.desk.refused import DeskRefused
from gateway.store import accounts as store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.store.accounts import Failures
    from gateway.store.database import Database

FORGOTTEN = timedelta(hours=1)
"""Failures that nobody added to for so long count no longer."""
_FIRST = 2.0


class Slowing(NamedTuple):
    """What is counted, and how it slows the next try."""

    key: str
    free: int
    """Failures without a pause."""
    longest: timedelta
    """The pause doubles up to this."""
    hard_after: int | None = None
    """Failures after which the longest pause follows at once."""

    def pause(self, failures: int) -> timedelta:
        """Return how long the next try waits after the last."""
        if failures < self.free:
            return timedelta(0)
        if self.hard_after is not None and failures >= self.hard_after:
            return self.longest
        return min(timedelta(seconds=_FIRST * 2 ** min(failures - self.free, 20)), self.longest)


def of_account(login: str, address: str) -> Slowing:
    """Slow guesses at one account from one address: at most 10 in a quarter of an hour."""
    return _tight("account", login.lower(), network(address))


def of_browser(login: str, browser_sha256: str) -> Slowing:
    """Slow guesses at one account from a browser that this person used before."""
    return _tight("browser", login.lower(), browser_sha256)


def of_session(session_id: int) -> Slowing:
    """Slow guesses of a second factor or password in a session."""
    return _tight("session", str(session_id))


def of_address(address: str) -> Slowing:
    """Slow one address that tries many accounts or codes."""
    return Slowing(_key("address", network(address)), free=10, longest=timedelta(minutes=1))


def _tight(*what: str) -> Slowing:
    return Slowing(_key(*what), free=3, longest=timedelta(minutes=15), hard_after=10)


def _key(*what: str) -> str:
    # People type passwords where the login belongs: what was typed is not kept.
    return hashlib.sha256("\n".join(what).encode(errors="replace")).hexdigest()


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64, of which everybody has plenty."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        return str(known.ipv4_mapped or ip_network((known, 64), strict=False))
    return str(known)


async def take(database: Database, slowed: Sequence[Slowing], now: datetime) -> None:
    """Count one try, before it is looked at.

    Raises:
        DeskRefused: ``wait``: it comes too soon, and was not counted.
    """
    async with database.begin() as connection:
        rules = {one.key: one for one in slowed}
        held = await store.hold_failures(connection, list(rules), now, now - FORGOTTEN)
        if (wait := max(_wait(rules[one.key], one, now) for one in held)) > timedelta(0):
            seconds = max(1, round(wait.total_seconds()))
            raise DeskRefused("wait", f"too many tries: wait {seconds} seconds", seconds=seconds)
        for one in held:
            await store.count_failure(connection, one.key, one.times + 1, now)


def _wait(rule: Slowing, found: Failures, now: datetime) -> timedelta:
    return found.last_at + rule.pause(found.times) - now if found.times else timedelta(0)
