"""The XML of the national message -> :class:`~gateway.alerts.model.Alert`."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

from gateway.alerts import national_terms as terms
from gateway.alerts.findings import Refused
from gateway.alerts.foreign import is_signature, split_name
from gateway.alerts.language import UNDETERMINED, is_tag
from gateway.alerts.model import (
    Alert,
    Area,
    Certainty,
    Info,
    MsgType,
    Resource,
    Scope,
    Severity,
    Status,
    Urgency,
    ValuePair,
    is_word,
)
from gateway.alerts.national_shapes import read_ring, read_round
from gateway.alerts.node import NAMESPACES, Node, choose
from gateway.alerts.title import read_title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from lxml import etree

    from gateway.alerts.hazards import Hazards, Level
    from gateway.alerts.national_shapes import ReadShape
    from gateway.alerts.node import Budget

NAMES: dict[str, tuple[str, ...]] = {
    "alert": (
        *("identifier", "sender", "senderCode", "phone", "sendTime", "status", "msgType", "scope", "code"),
        *("secClassification", "note", "references", "info"),
    ),
    "code": ("method",),
    "method": ("methodName", "message", "audienceGrp", "audiencePrt"),
    "info": (
        *("language", "eventType", "urgency", "severity", "certainty", "effective", "onset", "expires"),
        *("senderName", "headline", "description", "instruction", "web", "resource", "area"),
    ),
    "resource": ("resourceDesc", "size", "digest"),
    "area": ("areaDesc", "polygon", "circle", "geocode"),
}
_SEVERAL = frozenset({"code", "method", "resource", "area", "polygon", "circle"})
_SPELLINGS = {"audenceprt": "audiencePrt", "audencePrt": "audiencePrt", "audienceprt": "audiencePrt"}
"""As messages of the platform spell it."""
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9:.]{8,40})(Z|[+-][0-9]{2}:[0-9]{2})?")
_ENTRY = re.compile(r"[^\s,，;；、]+")
_WHOLE = re.compile(r"[0-9]{1,18}")


class Element(Node):
    """An element of the national message: fixed names, many of them empty, times with a space."""

    def sort(self, kind: str, budget: Budget) -> None:
        """Sort the children by name; the order of elements is not looked at.

        Raises:
            Refused: An element that may stand once stands twice, one is CAP's, or there are too many foreign
                ones.
        """
        own = split_name(self.element.tag)[0]
        for child in self.element:
            namespace, name = split_name(child.tag)
            name = _SPELLINGS.get(name, name)
            if namespace == own and name in NAMES[kind]:
                self._put(name, child)
                continue
            if namespace in NAMESPACES:
                raise Refused(
                    "versions_mixed", f"{name[:40]} is CAP's in a national message", self.at(name[:40])
                )
            budget.spend_foreign(child)
            signs = kind == "alert" and is_signature(child)
            (self.signatures if signs else self.foreign).append(child)
        self._notice_strays()

    def _put(self, name: str, child: etree._Element) -> None:
        siblings = self._children.setdefault(name, [])
        if siblings and name not in _SEVERAL:
            raise Refused(
                "duplicate_element", f"{name} stands more than once; which one counts?", self.at(name)
            )
        siblings.append(child)

    def elements(self, name: str, kind: str, budget: Budget) -> Iterator[Element]:
        """Yield the children of that name, sorted."""
        for number, child in enumerate(self._children.get(name, ()), 1):
            element = Element(child, self.at(name, number), self.found, self.raw)
            element.sort(kind, budget)
            yield element

    def text(self, name: str) -> str | None:
        """Return the value of a child that may be absent; an empty one is the usual way to say nothing."""
        child = self.first(name)
        return None if child is None else self._value(child, self.at(name)) or None

    def drop_foreign(self) -> None:
        """Say what was left out where CAP has no place for elements that are foreign to it."""
        for child in self.foreign:
            name = split_name(child.tag)[1][:40]
            self.found.add("national_not_kept", self.path, f"the element {name} is unknown and was left out")

    def _time(self, text: str, path: str) -> datetime:
        match = _TIME.fullmatch(text)
        if match is None:
            raise Refused("time_malformed", "not of the form YYYY-MM-DD hh:mm:ss+08:00", path)
        day, clock, zone = match.groups()
        if zone is None:
            self.found.add("time_zone_assumed", path)
        return super()._time(f"{day}T{clock}{zone or '+08:00'}", path)


class Reader:
    """Reads one message."""

    def __init__(self, hazards: Hazards, budget: Budget, *, lat_first: bool) -> None:
        """Read by this hazard table, within these limits."""
        self._hazards = hazards
        self._budget = budget
        self._lat_first = lat_first
        self._codes_left = budget.items

    def alert(self, node: Element) -> Alert:
        """Read the root element.

        Raises:
            Refused: nobody may act on the message; the code says why.
        """
        node.sort("alert", self._budget)
        identifier = _word(node, "identifier")
        if not terms.IDENTIFIER.fullmatch(identifier):
            node.found.add("identifier_not_national", node.at("identifier"))
        msg_type = node.need_choice("msgType", MsgType)
        scope, restriction = _audience(node)
        infos = tuple(
            self._info(node, info, msg_type) for info in node.elements("info", "info", self._budget)
        )
        _notice_left_out(node, infos)
        return Alert(
            identifier=identifier,
            sender=_issuer(node, identifier),
            sent=node.need_time("sendTime"),
            status=node.need_choice("status", Status),
            msg_type=msg_type,
            scope=scope,
            restriction=restriction,
            note=node.text("note"),
            malformed_references=self._entries(node, "references"),
            infos=infos,
            extensions=node.extensions(),
        )

    def _info(self, root: Element, node: Element, msg_type: MsgType) -> Info:
        event_type, headline = node.text("eventType") or "", node.text("headline")
        level, severity = self._level(node)
        certainty, very_likely = _certainty(node)
        self._check_title(node, headline or "", event_type, level, msg_type)
        return Info(
            language=_language(node),
            categories=(terms.category_of(event_type, self._hazards),),
            event=self._event(node, event_type, headline or ""),
            urgency=choose(node.text("urgency") or "Unknown", Urgency, node.at("urgency")),
            severity=severity,
            certainty=certainty,
            event_codes=self._event_codes(event_type),
            effective=node.time("effective"),
            onset=node.time("onset"),
            expires=node.time("expires"),
            sender_name=root.text("sender"),
            headline=headline,
            description=node.text("description"),
            instruction=node.text("instruction"),
            web=node.text("web"),
            parameters=tuple(self._parameters(root, node, level, very_likely)),
            resources=tuple(_resource(one) for one in node.elements("resource", "resource", self._budget)),
            areas=tuple(self._area(one) for one in node.elements("area", "area", self._budget)),
            extensions=node.extensions(),
        )

    def _level(self, node: Element) -> tuple[Level | None, Severity]:
        text = node.text("severity") or "Unknown"
        if text == Severity.UNKNOWN:
            return None, Severity.UNKNOWN
        level = self._hazards.level_named(text)
        if level is None:
            message = "the value is not one of Red, Orange, Yellow, Blue, Unknown"
            raise Refused("value_unknown", message, node.at("severity"))
        return level, self._hazards.severity_of(level)

    def _event(self, node: Element, event_type: str, headline: str) -> str:
        event = terms.event_of(event_type, headline, self._hazards)
        if not event:
            node.found.add("event_empty", node.at("eventType"), "eventType is empty")
        elif self._hazards.by_code(event_type) is None:
            node.found.add("event_type_unknown", node.at("eventType"))
        return event

    def _event_codes(self, event_type: str) -> tuple[ValuePair, ...]:
        name = self._hazards.event_code_list
        return (ValuePair(value_name=name, value=event_type),) if event_type else ()

    def _check_title(
        self, node: Element, headline: str, event_type: str, level: Level | None, msg_type: MsgType
    ) -> None:
        title = read_title(headline)
        if title is None:
            return
        told, meant = self._hazards.by_name(title.event), self._hazards.by_code(event_type)
        disagree = {
            "colour": level is not None and {level} != {title.level, title.grade or title.level},
            "event": told is not None and meant is not None and told != meant,
            # A Cancel is often headed like what it lifts; an Alert is never headed as lifted.
            "message type": title.msg_type == MsgType.CANCEL != msg_type,
        }
        for what in (name for name, is_so in disagree.items() if is_so):
            node.found.add(
                "title_disagrees", node.at("headline"), f"headline and codes disagree on the {what}"
            )

    def _parameters(
        self, root: Element, node: Element, level: Level | None, very_likely: bool
    ) -> Iterator[ValuePair]:
        if level:
            yield self._hazards.colour_pair(level)
        if very_likely:
            yield ValuePair(value_name=terms.CERTAINTY, value=terms.VERY_LIKELY)
        for name, value in ((terms.SIGNER, node.text("senderName")), (terms.PHONE, root.text("phone"))):
            if value:
                yield ValuePair(value_name=name, value=value)
        yield from self._methods(root)

    def _methods(self, root: Element) -> Iterator[ValuePair]:
        numbers = count(1)
        for code in root.elements("code", "code", self._budget):
            code.drop_foreign()
            for method in code.elements("method", "method", self._budget):
                method.drop_foreign()
                said = {name: method.text(name) for name in NAMES["method"]}
                if any(said.values()):
                    yield from _method(next(numbers), said)

    def _area(self, node: Element) -> Area:
        polygons, bad_polygons = self._shapes(node, "polygon", read_ring)
        circles, bad_circles = self._shapes(node, "circle", read_round)
        desc = node.text("areaDesc") or ""
        if not desc:
            node.found.add("area_desc_empty", node.at("areaDesc"))
        return Area(
            area_desc=desc,
            polygons=tuple(one.polygon for one in polygons if one.polygon),
            circles=tuple(one.circle for one in circles if one.circle),
            geocodes=tuple(
                ValuePair(value_name=terms.DIVISIONS, value=code) for code in self._divisions(node)
            ),
            unusable_polygons=bad_polygons,
            unusable_circles=bad_circles,
            extensions=node.extensions(),
        )

    def _shapes(
        self, node: Element, name: str, read: Callable[..., ReadShape]
    ) -> tuple[list[ReadShape], tuple[str, ...]]:
        shapes = []
        for child in node.nodes(name):
            text = child.value()
            self._budget.spend_points(text.count(","), child.path)
            if text:
                shapes.append(read(text, lat_first=self._lat_first))
            for problem in shapes[-1].problems if text else ():
                node.found.add(problem.code, child.path, problem.message)
                node.raw[child.path] = text
        usable = [one for one in shapes if one.is_usable]
        return usable, tuple(one.text for one in shapes if not one.is_usable)

    def _divisions(self, node: Element) -> tuple[str, ...]:
        """Return the codes of an area; those of all areas together are held to the limit of one list."""
        codes = self._entries(node, "geocode")
        self._codes_left -= len(codes)
        if self._codes_left < 0:
            limit = self._budget.items
            raise Refused("too_many_items", f"the areas have more than {limit} codes", node.at("geocode"))
        return codes

    def _entries(self, node: Element, name: str) -> tuple[str, ...]:
        path = node.at(name)
        return tuple(match[0] for match in self._budget.split(node.text(name) or "", _ENTRY, path))


def _word(node: Element, name: str) -> str:
    value = node.need(name)
    if not is_word(value):
        message = f"{name} must not be empty or have white space, comma, < or &"
        raise Refused("word_malformed", message, node.at(name))
    return value


def _issuer(node: Element, identifier: str) -> str:
    if node.text("senderCode"):
        return _word(node, "senderCode")
    match = terms.IDENTIFIER.fullmatch(identifier)
    if match is None:
        raise Refused("missing_element", "senderCode is missing", node.at("senderCode"))
    node.found.add("issuer_assumed", node.at("senderCode"))
    return match[1]


def _audience(node: Element) -> tuple[Scope, str | None]:
    scope = node.need_choice("scope", Scope)
    secrecy = node.text("secClassification") or "None"
    if secrecy not in ("None", terms.INNER):
        raise Refused("value_unknown", "the value is not one of None, Inner", node.at("secClassification"))
    if secrecy == "None":
        return scope, None
    return (Scope.RESTRICTED if scope == Scope.PUBLIC else scope), terms.INNER_RESTRICTION


def _notice_left_out(node: Element, infos: tuple[Info, ...]) -> None:
    if node.signatures:
        message = "the signature is of the national message and was left out"
        node.found.add("national_not_kept", node.path, message)
    told = [name for name in ("sender", "phone", "code") if node.first(name) is not None]
    if told and not infos:
        message = f"without info CAP has no place for {', '.join(told)}"
        node.found.add("national_not_kept", node.path, message)


def _language(node: Element) -> str:
    text = node.text("language") or "zh-CN"
    if is_tag(text):
        return text
    node.found.add("language_malformed", node.at("language"))
    return UNDETERMINED


def _certainty(node: Element) -> tuple[Certainty, bool]:
    text = node.text("certainty") or "Unknown"
    if text == terms.VERY_LIKELY:
        return Certainty.LIKELY, True
    return choose(text, Certainty, node.at("certainty")), False


def _method(number: int, said: dict[str, str | None]) -> Iterator[ValuePair]:
    names = {part: f"{terms.METHOD}.{number}.{part}" for part in terms.METHOD_PARTS}
    names["methodName"] = f"{terms.METHOD}.{number}"
    for part, value in said.items():
        if value:
            yield ValuePair(value_name=names[part], value=value)


def _resource(node: Element) -> Resource:
    desc, size = node.text("resourceDesc") or "", node.text("size")
    if not desc:
        node.found.add("resource_incomplete", node.path)
    if size and not _WHOLE.fullmatch(size):
        node.found.add("size_malformed", node.at("size"))
        size = None
    return Resource(
        resource_desc=desc,
        mime_type=terms.mime_type_of(desc),
        size=int(size) if size else None,
        digest=node.text("digest"),
        extensions=node.extensions(),
    )
