"""Steps on contacts and groups: each by a person who may, within that person's area, with its record.

Who has a region puts own contacts into groups that there are, and out of them. What groups there are, and who
is in the one that drills go to (``drill_group``), is for somebody whose rights hold everywhere.

The log says who changed what of which contact. It holds no number, no address and no name of a contact.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.desk import scope
from gateway.desk.refused import DeskRefused
from gateway.ops.redaction import redact_text
from gateway.store import desk as desk_store
from gateway.store import people_pages as store

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.audience.entry import Entry
    from gateway.desk.steps import Step
    from gateway.store.desk import Person
    from gateway.store.people_pages import AddressRow, ContactRow, GroupRow

REVEALS = 30
"""Contacts whose addresses one person may look at within :data:`REVEALS_WITHIN`."""
REVEALS_WITHIN = timedelta(hours=1)
LEAST_REASON = 2
MOST_REASON = 200


async def add(step: Step, entry: Entry, groups: Collection[int], drill_group: str | None) -> int:
    """Add a contact and return its number."""
    person = await step.may("contacts")
    _check_region(person, entry.region)
    number = await store.add_contact(step.connection, **_columns(entry))
    if number is None:
        raise _number_taken(entry)
    channels = await store.add_addresses(step.connection, number, entry.addresses)
    await _move(step, person, number, groups, drill_group)
    step.record(
        "contact_added",
        f"contact {number}",
        region=entry.region,
        role=entry.role,
        channels=sorted(channels),
        groups=sorted(groups),
    )
    return number


async def change(
    step: Step,
    number: int,
    entry: Entry,
    dropped: Collection[int],
    groups: Collection[int],
    drill_group: str | None,
) -> None:
    """Change a contact; ``dropped`` are its addresses to delete, by their numbers."""
    person = await step.may("contacts")
    before = await _held(step, person, number)
    _check_region(person, entry.region)
    if entry.external_id and await store.number_taken(step.connection, entry.external_id, number):
        raise _number_taken(entry)
    values = _columns(entry)
    changed = sorted(name for name, value in values.items() if getattr(before, name) != value)
    if changed:
        await store.change_contact(step.connection, number, **values)
    gone = await store.drop_addresses(step.connection, number, dropped)
    added = await store.add_addresses(step.connection, number, entry.addresses)
    moved = await _move(step, person, number, groups, drill_group)
    if changed or gone or added or moved:
        said = {"changed": changed, "dropped": gone, "added": sorted(added), "groups": sorted(groups)}
        if "region" in changed:
            said["moved"] = [before.region, entry.region]
        if "active" in changed:
            said["active"] = entry.active
        step.record("contact_changed", f"contact {number}", **said)


async def reveal(step: Step, number: int, reason: str) -> list[AddressRow]:
    """Return the addresses of a contact whole; the look stands in the log, and so does its reason."""
    person = await step.may("reveal")
    reason = redact_text(reason.strip())
    if not LEAST_REASON <= len(reason) <= MOST_REASON or not reason.isprintable():
        raise DeskRefused(
            "reveal_reason",
            f"say in up to {MOST_REASON} characters why you need the address",
            most=MOST_REASON,
        )
    await desk_store.hold_name(step.connection, f"reveal {step.actor}")
    if await store.reveals_since(step.connection, step.actor, step.now - REVEALS_WITHIN) >= REVEALS:
        raise DeskRefused(
            "reveals",
            f"you looked at the addresses of {REVEALS} contacts within an hour: wait, or ask a colleague",
            most=REVEALS,
        )
    await _held(step, person, number)
    step.record("reveal", f"contact {number}", reason=reason)
    return (await store.addresses_of(step.connection, [number]))[number]


async def add_group(step: Step, name: str) -> int:
    """Add a group and return its number."""
    scope.check_everywhere(await step.may("contacts"))
    number = await store.add_group(step.connection, name)
    if number is None:
        raise DeskRefused("group_taken", f"there is a group {name} already", name=name)
    step.record("group_added", f"group {number}", name=redact_text(name))
    return number


async def drop_group(step: Step, number: int) -> None:
    """Delete a group; its members stay contacts."""
    person = await step.may("contacts")
    scope.check_everywhere(person)
    group = await _group(step, person, number)
    await store.drop_group(step.connection, number)
    step.record("group_dropped", f"group {number}", name=redact_text(group.name), members=group.members)


async def join(step: Step, number: int, contacts: Collection[int], drill_group: str | None) -> int:
    """Put contacts into a group and return how many were not in it."""
    person = await step.may("contacts")
    group = await _group(step, person, number)
    _check_drills(person, {group.name}, drill_group)
    for contact in sorted(contacts):  # in one order, so that two people never wait for each other
        await _held(step, person, contact)
    joined = await store.join(step.connection, number, contacts) if contacts else 0
    if joined:
        step.record("group_joined", f"group {number}", contacts=sorted(contacts))
    return joined


async def leave(step: Step, number: int, contact: int, drill_group: str | None) -> None:
    """Take a contact out of a group."""
    person = await step.may("contacts")
    group = await _group(step, person, number)
    _check_drills(person, {group.name}, drill_group)
    await _held(step, person, contact)
    if await store.leave(step.connection, number, contact):
        step.record("group_left", f"group {number}", contacts=[contact])


def within(person: Person) -> str:
    """Return the digits that the region of each contact that a person sees begins with."""
    return scope.prefix_of(person.region) if person.region else ""


async def _held(step: Step, person: Person, number: int) -> ContactRow:
    row = await store.contact(step.connection, number, hold=True)
    if row is None or not scope.covers(person, row.region):
        raise DeskRefused("no_contact", f"there is no contact {number} in your area", contact=number)
    return row


async def _group(step: Step, person: Person, number: int) -> GroupRow:
    row = await store.group(step.connection, number, within(person))
    if row is None:
        raise DeskRefused("no_group", f"there is no group {number}", group=number)
    return row


def _check_drills(person: Person, changed: Collection[str], drill_group: str | None) -> None:
    """Refuse to somebody of one region a change of these groups where drills go to one of them."""
    if person.region is not None and drill_group in changed:
        raise DeskRefused(
            "drill_group",
            f"drills go to the group {drill_group}: somebody whose rights hold everywhere says who is in it",
            group=drill_group,
        )


async def _move(
    step: Step, person: Person, number: int, groups: Collection[int], drill_group: str | None
) -> bool:
    """Have a contact be in these groups and no others; return whether that changed anything."""
    names = {one.id: one.name for one in await store.group_names(step.connection)}
    wanted = set(groups)
    if unknown := wanted - names.keys():
        raise DeskRefused("no_group", f"there is no group {min(unknown)}", group=min(unknown))
    there = {group for group, _ in await store.groups_of(step.connection, number)}
    _check_drills(person, {names[one] for one in wanted ^ there if one in names}, drill_group)
    for group in sorted(there - wanted):
        await store.leave(step.connection, group, number)
    for group in sorted(wanted - there):
        await store.join(step.connection, group, [number])
    return wanted != there


def _check_region(person: Person, code: str) -> None:
    if not scope.covers(person, code):
        raise DeskRefused("contact_area", f"region {code} lies outside your area", region=code)


def _number_taken(entry: Entry) -> DeskRefused:
    return DeskRefused(
        "number_taken",
        f"another contact has the number {entry.external_id} already: change that one",
        number=entry.external_id,
    )


def _columns(entry: Entry) -> dict[str, object]:
    return {name: value for name, value in entry._asdict().items() if name != "addresses"}
