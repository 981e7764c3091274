"""All that the partner API stands on, put together once for a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.partners import keys
from gateway.partners.access import Access
from gateway.partners.pushing import Pusher
from gateway.partners.rates import Rates

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gateway.alerts.hazards import Hazards
    from gateway.clock import Clock
    from gateway.feeds.intake import Intake
    from gateway.settings import Settings
    from gateway.store.database import Database


class Partners(NamedTuple):
    """What answers partners."""

    database: Database
    clock: Clock
    access: Access
    rates: Rates
    pusher: Pusher


def open_partners(
    settings: Settings, database: Database, redis: Redis, intake: Intake, hazards: Hazards, clock: Clock
) -> Partners:
    """Put it together.

    Raises:
        ServiceRefused: the key that signing secrets are made from cannot be kept.
    """
    access = Access(database, clock, settings.partners, keys.server_keys(settings))
    return Partners(database, clock, access, Rates(redis, clock), Pusher(database, clock, intake, hazards))
