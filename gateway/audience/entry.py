"""One contact as somebody types it: the same rules as for a row of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.audience.columns import LANGUAGE_WORDS, ROLES, Fault, clean, needed, short, strip
from gateway.audience.contacts import MOST_NUMBER, Regions, addresses_in, language_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.audience.contacts import Checks

ADDRESS = "address."
"""Before the channel, the field of a new address."""

__all__ = ["ADDRESS", "LANGUAGE_WORDS", "Entry", "Regions", "group_name", "read_entry"]


class Entry(NamedTuple):
    """A contact without a fault."""

    external_id: str | None
    name: str
    region: str
    role: str
    language: str
    active: bool
    addresses: tuple[tuple[str, str], ...]
    """(channel, address) to add, in the form the channel's adapter returns."""


def read_entry(
    values: Mapping[str, str], regions: Regions, checks: Checks
) -> tuple[Entry | None, dict[str, Fault]]:
    """Return the contact, or None with field -> what is wrong with it."""
    faults: dict[str, Fault] = {}

    def take(field: str, meaning: Callable[[str], str]) -> str:
        try:
            return meaning(clean(values.get(field, "")))
        except Fault as fault:
            faults[field] = fault
            return ""

    number = take("external_id", lambda text: short(text, MOST_NUMBER))
    name = take("name", lambda text: short(needed(text)))
    region = take("region", lambda text: regions.find(needed(text)))
    role = take("role", _role)
    language = take("language", language_tag)
    given: list[tuple[str, str]] = []
    for channel, check in checks.items():
        try:
            given += [(channel, one) for one in addresses_in(values.get(ADDRESS + channel, ""), check)]
        except Fault as fault:
            faults[ADDRESS + channel] = fault
    if faults:
        return None, faults
    active = values.get("active", "") != ""
    return Entry(number or None, name, region, role, language, active, tuple(given)), faults


def group_name(text: str) -> str:
    """Return a group's name; raises :class:`Fault`."""
    return short(needed(strip(clean(text))))


def _role(text: str) -> str:
    if text not in ROLES:
        raise Fault("an unknown role", "choose one of the list")
    return text
