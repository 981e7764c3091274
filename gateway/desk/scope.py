"""How far the rights of a person reach: the own region, and what the own unit is authorised for.

A person without a region acts everywhere. With one, every step on an alert takes that its whole area
lies in that region, and so does everybody on its frozen list. What cannot be told to lie inside is
outside. A signature takes, besides, that an authorisation of the signer's unit covers hazard, level
and area at that moment (授权); it is looked up again when the alert leaves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import shapely

from gateway.alerts.hazards import Level
from gateway.alerts.model import Alert
from gateway.audience import codes, shapes
from gateway.audience.area import AreaRefused, from_alert
from gateway.desk.refused import DeskRefused
from gateway.store import desk as store
from gateway.store import rights

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.audience.area import AreaSpec
    from gateway.desk.policy import Policy
    from gateway.store.desk import AlertRow, Approval, Person
    from gateway.store.rights import Authorisation

ALL = "*"
"""The hazard of an authorisation for all of them."""

_SEPARATORS = re.compile(r"[,，;；\s]+")
_TOUCH = 1e-6
"""Share of a shape that may lie outside: what is left of two equal borders after rounding."""


def covers(person: Person, code: str) -> bool:
    """Return whether a region lies where the roles of a person hold."""
    return person.region is None or _begins(code, prefix_of(person.region))


def prefix_of(region: str) -> str:
    """Return the digits that the codes of everything within a region begin with."""
    return codes.parse_code(region).prefix


async def check(connection: AsyncConnection, person: Person, row: AlertRow) -> None:
    """Refuse unless the alert lies, as a whole, where the roles of the person hold."""
    if person.region is None or not (why := await outside(connection, person.region, row)):
        return
    name = await store.region_name(connection, person.region) or person.region
    raise DeskRefused(
        "outside",
        f"{person.login} may act in {name} only, but {why}: ask somebody whose rights reach that far",
        person=person.login,
        region=name,
        alert=row.id,
    )


def check_everywhere(person: Person) -> None:
    """Refuse what holds for the whole desk to somebody whose roles hold in one region."""
    if person.region is not None:
        raise DeskRefused(
            "everywhere",
            f"{person.login} acts in one region only, and this holds for the whole desk: ask somebody whose "
            f"rights hold everywhere",
            person=person.login,
        )


async def check_authorised(
    connection: AsyncConnection, policy: Policy, person: Person, row: AlertRow, now: datetime
) -> None:
    """Refuse a signature that no authorisation of the signer's unit covers."""
    if await _is_authorised(connection, policy, person.unit, row, now):
        return
    if not person.unit:
        raise DeskRefused(
            "no_unit",
            f"{person.login} belongs to no unit, and signing takes a unit with an authorisation",
            person=person.login,
        )
    raise DeskRefused(
        "authorisation",
        f"unit {person.unit} has no authorisation in force for {row.hazard} {row.level} in this area: "
        f"somebody of a unit that has one signs it, or an administrator enters it",
        unit=person.unit,
        hazard=row.hazard,
        level=row.level,
    )


async def holds(
    connection: AsyncConnection, policy: Policy, signed: Approval, row: AlertRow, now: datetime
) -> bool:
    """Return whether a signature is still within what its giver may sign."""
    if signed.region is not None and await outside(connection, signed.region, row):
        return False
    return await _is_authorised(connection, policy, signed.unit, row, now)


async def outside(connection: AsyncConnection, region: str, row: AlertRow) -> str:
    """Return, as a clause, why an alert cannot be told to lie in a region; empty where it does."""
    prefix = prefix_of(region)
    area = from_alert(Alert.model_validate(row.content))
    why = _untold(area) or _codes_outside(area, prefix)
    if not why and (area.polygons or area.circles):
        why = _shapes_outside(area, await rights.outlines(connection, prefix))
    if not why and row.target_list_id and await rights.any_outside(connection, row.target_list_id, prefix):
        why = "it goes to people outside of it"
    return f"alert {row.id}: {why}" if why else ""


def _untold(area: AreaSpec) -> str:
    if area.is_empty:
        return "it has no area"
    if area.lost or area.words:
        return "a part of its area has words only or cannot be read"
    return ""


def _codes_outside(area: AreaSpec, prefix: str) -> str:
    for code_list, value in area.geocodes:
        if codes.list_key(code_list) not in codes.CODE_LISTS:
            return f"the code list {code_list[:40]!r} is not held here"
        found = [one for one in _SEPARATORS.split(value) if one]
        if not found or not all(_begins(one, prefix) for one in found):
            return f"{value[:40]!r} lies outside"
    return ""


def _begins(code: str, prefix: str) -> bool:
    try:
        return codes.parse_code(code).prefix.startswith(prefix)
    except codes.CodeRefused:
        return False


def _shapes_outside(area: AreaSpec, outlines: list[bytes]) -> str:
    try:
        drawn, _ = shapes.build(area)
    except AreaRefused as refused:
        return refused.sentence
    if not outlines or len(drawn) != len(area.polygons) + len(area.circles):
        return "its shape cannot be compared with a border"
    border = shapely.union_all([shapely.from_wkb(one) for one in outlines])
    return "" if all(_within(one.geometry, border) for one in drawn) else "its shape reaches outside"


def _within(shape: shapely.Geometry, border: shapely.Geometry) -> bool:
    left = shapely.area(shapely.difference(shape, border))
    return float(left) <= _TOUCH * float(shapely.area(shape))


async def _is_authorised(
    connection: AsyncConnection, policy: Policy, unit: str, row: AlertRow, now: datetime
) -> bool:
    if not unit:
        return not policy.authorisations.required
    for one in await rights.authorisations_at(connection, unit, now):
        if _says(one, row) and (one.region is None or not await outside(connection, one.region, row)):
            return True
    return False


def _says(one: Authorisation, row: AlertRow) -> bool:
    return one.hazard in {ALL, row.hazard} and Level(one.level).rank <= Level(row.level).rank
