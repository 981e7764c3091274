"""From an audience to a frozen, digested target list that a release can be bound to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gateway.audience.area import AreaRefused
from gateway.store import audience as statements
from gateway.store.audience import ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Region -> targets without an address on any channel; see :func:`list_unreachable`."""


class Unreachable(NamedTuple):
    """A target that no message can be sent to."""

    contact_id: int
    external_id: str | None
    name: str
    region: str


async def freeze(
    connection: AsyncConnection,
    audience: Audience,
    roles: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> FrozenTargets:
    """Write the target list in the caller's transaction; nothing of it stays if that rolls back.

    Args:
        connection: within the transaction that also binds the list to its alert.
        audience: from :func:`gateway.audience.resolve`.
        roles: only contacts of these roles; None takes all.
        groups: only members of these groups; None takes all.

    Raises:
        AreaRefused: a role or group is unknown, or nobody is left, or nobody left has an address.
            The caller must roll back.
    """
    choice = audience.choice._replace(
        roles=_known(roles, ROLES, "role"), groups=await _group_ids(connection, groups)
    )
    area = audience.as_json() | {"roles": roles, "groups": groups}
    list_id = await statements.freeze(connection, choice, area)
    count, digest = await statements.digest(connection, list_id)
    regions = await statements.per_region(connection, list_id)
    unreachable = {region: lost for region, (_, lost) in regions.items() if lost}
    if not count:
        raise AreaRefused(
            "nobody", "no active contact is left after the choice of roles and groups; widen it"
        )
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


async def list_unreachable(connection: AsyncConnection, list_id: int, limit: int = 1000) -> list[Unreachable]:
    """Return the targets of a list that have no address on any channel, in order."""
    return [Unreachable(*row) for row in await statements.unreachable(connection, list_id, limit)]


def _known(chosen: Sequence[str] | None, known: Sequence[str], what: str) -> list[str] | None:
    if chosen is None:
        return None
    strange = [one for one in chosen if one not in known]
    if strange:
        raise AreaRefused(
            "unknown_filter", f"{what} {strange[0]!r} is unknown; known are: {', '.join(known)}"
        )
    return list(chosen)


async def _group_ids(connection: AsyncConnection, names: Sequence[str] | None) -> list[int] | None:
    if names is None:
        return None
    found = await statements.group_ids(connection, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise AreaRefused(
            "unknown_filter", f"group {missing[0]!r} is unknown; look at the groups of the contacts"
        )
    return list(found.values())
