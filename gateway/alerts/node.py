"""One element of the document while it is read: sorted children, trimmed values, findings with paths."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from gateway.alerts.findings import Findings, Refused
from gateway.alerts.foreign import foreign_xml, is_signature, split_name
from gateway.alerts.times import TimeRefused, read_time

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from datetime import datetime
    from enum import StrEnum

    from lxml import etree

    E = TypeVar("E", bound=StrEnum)

Version: TypeAlias = Literal["1.0", "1.1", "1.2"]
NAMESPACES: dict[str, Version] = {
    "urn:oasis:names:tc:emergency:cap:1.2": "1.2",
    "urn:oasis:names:tc:emergency:cap:1.1": "1.1",
    "http://www.incident.com/cap/1.0": "1.0",
}
ORDER: dict[str, tuple[str, ...]] = {
    "alert": (
        *("identifier", "sender", "password", "sent", "status", "msgType", "source", "scope", "restriction"),
        *("addresses", "code", "note", "references", "incidents", "info"),
    ),
    "info": (
        *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience"),
        *(
            "eventCode",
            "effective",
            "onset",
            "expires",
            "senderName",
            "headline",
            "description",
            "instruction",
        ),
        *("web", "contact", "parameter", "resource", "area"),
    ),
    "resource": ("resourceDesc", "mimeType", "size", "uri", "derefUri", "digest"),
    "area": ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"),
    "pair": ("valueName", "value"),
}
"""CAP's sequences (CAP-v1.2.xsd). password is CAP 1.0's."""

REPEATED = frozenset(
    {
        *("code", "info", "category", "responseType", "eventCode", "parameter", "resource", "area"),
        *("polygon", "circle", "geocode"),
    }
)
_PLAIN_WORDS = frozenset(
    {"description", "instruction", "headline", "event", "senderName", "areaDesc", "note", "polygon", "circle"}
)
"""Texts and points: padding in them means nothing."""


@dataclass(slots=True)
class Budget:
    """What is left of the limits that are counted over the whole message."""

    points: int
    foreign: int
    items: int

    def split(self, text: str, pattern: re.Pattern[str], path: str) -> list[re.Match[str]]:
        """The entries of a list.

        Raises:
            Refused: There are too many.
        """
        found = list(islice(pattern.finditer(text), self.items + 1))
        if len(found) > self.items:
            raise Refused("too_many_items", f"the list has more than {self.items} entries", path)
        return found

    def spend_points(self, count: int, path: str) -> None:
        """Count the points of a polygon.

        Raises:
            Refused: There are too many.
        """
        self.points -= count
        if self.points < 0:
            raise Refused("too_many_points", "the polygons have more points than the limit", path)

    def spend_foreign(self, element: etree._Element) -> None:
        """Count an element that is unknown to CAP, and what is inside of it.

        Raises:
            Refused: There are too many.
        """
        self.foreign -= sum(1 for _ in element.iter())
        if self.foreign < 0:
            raise Refused("too_many_foreign", "the file has more elements foreign to CAP than the limit")


class Node:
    """An element of CAP and where it stands."""

    def __init__(self, element: etree._Element, path: str, found: Findings, raw: dict[str, str]) -> None:
        """Stand at an element; ``raw`` takes values as they stood, by path."""
        self.element = element
        self.path = path
        self.found = found
        self.raw = raw
        self.foreign: list[etree._Element] = []
        self.signatures: list[etree._Element] = []
        self._children: dict[str, list[etree._Element]] = {}

    def at(self, name: str, number: int | None = None) -> str:
        """The path of a child; ``number`` counts from 1 where it may stand several times."""
        return f"{self.path}/{name}" if number is None else f"{self.path}/{name}[{number}]"

    def sort(self, kind: str, budget: Budget) -> None:
        """Sort the children by name; what is foreign to CAP, and what signs the message, is set aside.

        Raises:
            Refused: An element that may stand once stands twice, one is of another version of CAP, or there
                are too many foreign ones.
        """
        order = ORDER[kind]
        own = split_name(self.element.tag)[0]
        last = 0
        for child in self.element:
            namespace, name = split_name(child.tag)
            if namespace == own and name in order:
                last = self._take(name, child, order, last)
                continue
            if namespace in NAMESPACES and name in order:
                raise Refused("versions_mixed", f"{name} is of another version of CAP", self.at(name))
            budget.spend_foreign(child)
            signs = kind == "alert" and is_signature(child)
            (self.signatures if signs else self.foreign).append(child)
        self._notice_strays()

    def _take(self, name: str, child: etree._Element, order: tuple[str, ...], last: int) -> int:
        siblings = self._children.setdefault(name, [])
        if siblings and name not in REPEATED:
            raise Refused(
                "duplicate_element", f"{name} stands more than once; which one counts?", self.at(name)
            )
        siblings.append(child)
        place = order.index(name)
        if place < last:
            self.found.add("order_wrong", self.at(name), f"{name} stands after {order[last]}")
        return max(last, place)

    def _notice_strays(self) -> None:
        texts = [self.element.text, *(child.tail for child in self.element)]
        if any(text and text.strip() for text in texts):
            self.found.add("stray_text", self.path)
        for name in self.element.attrib:
            if not str(name).startswith("{http://www.w3.org/2001/XMLSchema-instance}"):
                self.found.add("attribute_ignored", self.path)

    def first(self, name: str) -> etree._Element | None:
        """The only child of that name."""
        children = self._children.get(name)
        return children[0] if children else None

    def nodes(self, name: str) -> Iterator[Node]:
        """The children of that name, as nodes with numbered paths."""
        for number, child in enumerate(self._children.get(name, ()), 1):
            yield Node(child, self.at(name, number), self.found, self.raw)

    def extensions(self) -> tuple[str, ...]:
        """The children that are foreign to CAP, as XML, each with a finding."""
        for child in self.foreign:
            name = split_name(child.tag)[1][:40]
            self.found.add(
                "foreign_element", self.path, f"the element {name} is not CAP's; kept but not understood"
            )
        return tuple(map(foreign_xml, self.foreign))

    def value(self) -> str:
        """The trimmed text of this element, which should hold no others."""
        return self._value(self.element, self.path)

    def _value(self, element: etree._Element, path: str) -> str:
        text = element.text or ""
        if len(element):
            self.found.add("markup_in_text", path)
            text = "".join(str(part) for part in element.itertext())
        kept = text.strip()
        if kept != text:
            words = path.rpartition("/")[2].partition("[")[0] in _PLAIN_WORDS or not kept
            self.found.add("whitespace_trimmed" if words else "padded_value", path)
            self.raw[path] = text
        return kept

    def need(self, name: str) -> str:
        """The value of a child that CAP requires.

        Raises:
            Refused: It is missing, or holds elements.
        """
        child = self.first(name)
        if child is None:
            raise Refused("missing_element", f"{name} is missing", self.at(name))
        if len(child):
            raise Refused("markup_in_value", f"{name} contains elements", self.at(name))
        return self._value(child, self.at(name))

    def words(self, name: str) -> str:
        """A required text for people, which may be empty.

        Raises:
            Refused: It is missing.
        """
        child = self.first(name)
        if child is None:
            raise Refused("missing_element", f"{name} is missing", self.at(name))
        return self._value(child, self.at(name))

    def text(self, name: str) -> str | None:
        """The value of a child that may be absent; an empty one is as good as absent."""
        child = self.first(name)
        if child is None:
            return None
        value = self._value(child, self.at(name))
        if not value:
            self.found.add("empty_element", self.at(name))
        return value or None

    def texts(self, name: str) -> list[str]:
        """The values of a child that may stand several times."""
        return [child.value() for child in self.nodes(name)]

    def need_choice(self, name: str, choices: type[E]) -> E:
        """A required value from one of CAP's lists."""
        return choose(self.need(name), choices, self.at(name))

    def choices(self, name: str, choices: type[E]) -> tuple[E, ...]:
        """Values from one of CAP's lists."""
        return tuple(choose(child.value(), choices, child.path) for child in self.nodes(name))

    def need_time(self, name: str) -> datetime:
        """A required time."""
        return self._time(self.need(name), self.at(name))

    def time(self, name: str) -> datetime | None:
        """A time that may be absent."""
        text = self.text(name)
        return self._time(text, self.at(name)) if text else None

    def _time(self, text: str, path: str) -> datetime:
        try:
            read = read_time(text)
        except TimeRefused as error:
            raise Refused(error.code, str(error), path) from None
        for code in read.oddities:
            self.found.add(code, path)
        if read.oddities:
            self.raw[path] = text
        return read.value


def choose(text: str, choices: type[E], path: str) -> E:
    """The member of a list that the text names, exactly.

    Raises:
        Refused: There is none.
    """
    try:
        return choices(text)
    except ValueError:
        known = ", ".join(choices)
        raise Refused("value_unknown", f"the value is not one of {known}", path) from None
