"""From an audience to a frozen, digested target list that a release can be bound to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.audience.area import AreaRefused
from gateway.store import audience as statements

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.audience.resolve import Audience


@dataclass(frozen=True)
class FrozenTargets:
    """A target list as sealed."""

    list_id: int
    digest: str
    """SHA-256 over the targets in the order of their contacts, in hexadecimal."""
    count: int
    """Targets, those without an address included: they are part of whoever should be reached."""
    per_channel: dict[str, int]
    per_region: dict[str, int]
    unreachable: dict[str, int]
    """Region -> targets without an address on any channel."""


async def freeze(connection: AsyncConnection, audience: Audience) -> FrozenTargets:
    """Write the target list in the caller's transaction; nothing of it stays if that rolls back.

    Args:
        connection: within the transaction that also binds the list to its alert.
        audience: from :func:`gateway.audience.resolve`.

    Raises:
        AreaRefused: nobody is left, or nobody left has an address. The caller must roll back.
    """
    list_id = await statements.freeze(connection, audience.choice, audience.as_json())
    count, digest = await statements.digest(connection, list_id)
    regions = await statements.per_region(connection, list_id)
    unreachable = {region: lost for region, (_, lost) in regions.items() if lost}
    if not count:
        raise AreaRefused("nobody", "no contact of the area is active any more; look at the area again")
    if sum(unreachable.values()) == count:
        raise AreaRefused(
            "unreachable", f"none of the {count} contacts meant has an address; import addresses"
        )
    await statements.seal(connection, list_id, count, digest)
    return FrozenTargets(
        list_id,
        digest,
        count,
        per_channel=await statements.per_channel(connection, list_id),
        per_region={region: people for region, (people, _) in regions.items()},
        unreachable=unreachable,
    )


async def verify_digest(connection: AsyncConnection, list_id: int) -> bool:
    """Whether a target list still is what was sealed; False too where there is no such list."""
    sealed = await statements.sealed(connection, list_id)
    return sealed is not None and sealed == await statements.digest(connection, list_id)


async def doubled(connection: AsyncConnection, list_id: int) -> dict[str, int]:
    """Return channel -> how many addresses more than one target of a list has.

    Each target is one message, so the phone or mailbox behind such an address gets several.
    Channels without one are left out.
    """
    return await statements.doubled(connection, list_id)
