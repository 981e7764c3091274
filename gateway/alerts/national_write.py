""":class:`~gateway.alerts.model.Alert` -> the XML of the national message.

What decides who is told what is refused where the national message cannot say it; everything else that it
cannot say is listed as a finding ``national_lost``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from gateway.alerts import national_terms as terms
from gateway.alerts.findings import Finding, Refused, finding
from gateway.alerts.language import tag_of
from gateway.alerts.model import Scope, Severity, Status
from gateway.alerts.national_shapes import write_ring, write_round

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.alerts.hazards import Hazards
    from gateway.alerts.model import Alert, Area, Info, Resource, ValuePair

_LANGUAGES = frozenset({"zh", "zh-CN", "zh-Hans", "zh-Hans-CN"})
_DIVISIONS = frozenset({"gbt2260", "cngbt2260", "gbt10114", "cpeasgeographiccode"})
"""Names of lists whose codes are those of the national message, without case and punctuation."""
_YEAR = re.compile(r"(?<=2260)(19|20)\d\d$")
_SHORT_CODES = (6, 9)
_CODE = 12
_METHOD = re.compile(rf"{re.escape(terms.METHOD)}\.([0-9]{{1,4}})(?:\.({'|'.join(terms.METHOD_PARTS)}))?")
_AUDIENCE_PRT = "audenceprt"
"""The platform's own messages spell it so."""


def cannot(sentence: str, path: str) -> Refused:
    """Return the refusal of what the national message cannot say."""
    return Refused("national_cannot_say", sentence, path)


@dataclass(slots=True)
class Written:
    """The parts of the message and what was left out."""

    issuer: str
    event_type: str
    colour: str
    effective: datetime | None
    text: str = ""
    lost: list[Finding] = field(default_factory=list)


class Writer:
    """Writes one alert."""

    def __init__(
        self, alert: Alert, hazards: Hazards, *, first_issue: str | None, lat_first: bool, namespace: str
    ) -> None:
        """Take the alert and the table of its hazard and colour."""
        self._alert = alert
        self._hazards = hazards
        self._first_issue = first_issue
        self._lat_first = lat_first
        self._namespace = namespace
        self._lost: list[Finding] = []

    def written(self) -> Written:
        """Return the message.

        Raises:
            Refused: it says what the national message cannot.
        """
        info = self._block()
        _refuse_audience(self._alert)
        written = Written(self._issuer(), self._event_type(info), self._colour(info), info.effective)
        self._note_alert()
        self._note_info(info, written)
        body = f"{''.join(self._head(info, written))}<info>{''.join(self._info(info, written))}</info>"
        attribute = f' xmlns="{escape(self._namespace)}"' if self._namespace else ""
        written.text = f'<?xml version="1.0" encoding="UTF-8"?>\n<alert{attribute}>{body}</alert>\n'
        written.lost = self._lost
        return written

    # What must be said

    def _block(self) -> Info:
        blocks = [info for info in self._alert.infos if tag_of(info) in _LANGUAGES]
        if len(blocks) != 1:
            raise cannot(
                f"the national message has one info block in Chinese (zh-CN); this one has {len(blocks)}",
                "alert/info",
            )
        for info in self._alert.infos:
            if info is not blocks[0]:
                self._lose("alert/info", f"the text in {tag_of(info)}")
        return blocks[0]

    def _issuer(self) -> str:
        match = terms.IDENTIFIER.fullmatch(self._alert.identifier)
        if match is None:
            raise cannot(
                "identifier is not a national one: issuer of 14 characters, _, 14 digits of time",
                "alert/identifier",
            )
        if terms.ISSUER.fullmatch(self._alert.sender):
            return self._alert.sender
        self._lose("alert/sender", "the sender, for which the issuer in the identifier stands")
        return match[1]

    def _event_type(self, info: Info) -> str:
        name = self._hazards.event_code_list
        codes = {pair.value for pair in info.event_codes if pair.value_name == name and pair.value}
        if len(codes) > 1:
            raise cannot("the message has several event types", "alert/info/eventCode")
        found = self._hazards.hazard_of(info)
        if not codes and found is None:
            raise cannot(f"the message has no event type ({name}) and no known event", "alert/info/eventCode")
        return codes.pop() if codes else found.hazard.code if found else ""

    def _colour(self, info: Info) -> str:
        name = self._hazards.colour_parameter
        told = {pair.value for pair in info.parameters if pair.value_name == name}
        levels = {self._hazards.level_named(value) for value in told}
        if len(levels) == 1 and (level := levels.pop()):
            return level.value.capitalize()
        if told or info.severity != Severity.UNKNOWN:
            raise cannot(
                f"the message has no single colour of a warning ({name}); severity does not give it",
                "alert/info",
            )
        return "Unknown"

    # Elements

    def _head(self, info: Info, written: Written) -> Iterator[str]:
        alert = self._alert
        yield _element("identifier", alert.identifier)
        yield _element("sender", info.sender_name)
        yield _element("senderCode", written.issuer)
        yield from (_element("phone", value) for value in self._kept(info, terms.PHONE))
        yield _element("sendTime", _time(alert.sent))
        yield _element("status", alert.status)
        yield _element("msgType", alert.msg_type)
        yield _element("scope", Scope.PUBLIC)
        yield f"<code>{''.join(self._methods(info))}</code>"
        yield _element("secClassification", terms.INNER if alert.scope == Scope.RESTRICTED else "None")
        yield _element("note", alert.note)
        yield _element("references", ",".join(self._references(info)))

    def _info(self, info: Info, written: Written) -> Iterator[str]:
        very_likely = terms.VERY_LIKELY in self._kept(info, terms.CERTAINTY)
        yield _element("language", info.language)
        yield _element("eventType", written.event_type)
        yield _element("urgency", info.urgency)
        yield _element("severity", written.colour)
        yield _element("certainty", terms.VERY_LIKELY if very_likely else info.certainty)
        yield _element("effective", _time(info.effective))
        yield _element("onset", _time(info.onset))
        yield _element("expires", _time(info.expires))
        yield _element("senderName", "".join(self._kept(info, terms.SIGNER)))
        yield _element("headline", info.headline)
        yield _element("description", info.description)
        yield _element("instruction", info.instruction)
        yield _element("web", info.web)
        yield from (f"<resource>{''.join(self._resource(one))}</resource>" for one in info.resources)
        yield from (f"<area>{''.join(self._area(one))}</area>" for one in info.areas)

    def _kept(self, info: Info, name: str) -> list[str]:
        """Return the value of a parameter of ours, if it is there; what has no meaning was noted as lost."""
        return [pair.value for pair in info.parameters if pair.value_name == name and pair.value][:1]

    def _methods(self, info: Info) -> Iterator[str]:
        methods: dict[int, dict[str, str]] = {}
        for pair in info.parameters:
            if match := _METHOD.fullmatch(pair.value_name):
                methods.setdefault(int(match[1]), {}).setdefault(match[2] or "methodName", pair.value)
        for _, method in sorted(methods.items()):
            yield (
                f"<method>{_element('methodName', method.get('methodName'))}"
                f"{_element('message', method.get('message'))}"
                f"{_element('audienceGrp', method.get('audienceGrp'))}"
                f"{_element(_AUDIENCE_PRT, method.get('audiencePrt'))}</method>"
            )

    def _references(self, info: Info) -> tuple[str, ...]:
        """Return what the message is about: the first issue, as far as it is known."""
        alert = self._alert
        first = self._first_issue or next(iter(self._kept(info, terms.FIRST_ISSUE)), None)
        if first is None and alert.references:
            first = min(alert.references, key=lambda one: one.sent).identifier
            self._note(
                "alert/references",
                {"which is the first issue (the oldest stands for it)": len(alert.references) > 1},
            )
        names = alert.malformed_references
        if first and first not in names:
            names = (first, *names)
        others = [one for one in alert.references if one.identifier not in names]
        self._note(
            "alert/references",
            {"sender and time of a message": alert.references, "further messages": others},
        )
        return names

    def _resource(self, resource: Resource) -> Iterator[str]:
        yield _element("resourceDesc", resource.resource_desc)
        yield _element("size", None if resource.size is None else str(resource.size))
        yield _element("digest", resource.digest)
        self._note(
            "alert/info/resource",
            {
                "its type": resource.mime_type != terms.mime_type_of(resource.resource_desc),
                "its address": resource.uri,
                "its content": resource.deref_uri,
                "its foreign elements": resource.extensions,
            },
        )

    def _area(self, area: Area) -> Iterator[str]:
        if area.unusable_polygons or area.unusable_circles:
            raise cannot("an area has a shape that cannot be used", "alert/info/area")
        codes = self._codes(area)
        first = self._lat_first
        polygons = [write_ring(one, lat_first=first) for one in area.polygons]
        circles = [write_round(one, lat_first=first) for one in area.circles]
        if area.geocodes and not (codes or polygons or circles):
            raise cannot(
                "an area has codes only, of lists that the national message does not have", "alert/info/area"
            )
        yield _element("areaDesc", area.area_desc)
        yield from (_element("polygon", text) for text in polygons or [""])
        yield from (_element("circle", text) for text in circles or [""])
        yield _element("geocode", ",".join(codes))
        self._note(
            "alert/info/area",
            {"altitude and ceiling": area.altitude is not None, "its foreign elements": area.extensions},
        )

    def _codes(self, area: Area) -> list[str]:
        others = {pair.value_name[:40] for pair in area.geocodes if not _is_division(pair)}
        for name in sorted(others):
            self._lose("alert/info/area/geocode", f"codes of the list {name!r}")
        return [_padded(pair.value) for pair in area.geocodes if _is_division(pair)]

    # What is lost

    def _lose(self, path: str, what: str) -> None:
        self._lost.append(finding("national_lost", path, f"the national message cannot say: {what}"))

    def _note(self, path: str, what: dict[str, object]) -> None:
        for words, is_there in what.items():
            if is_there:
                self._lose(path, words)

    def _note_alert(self) -> None:
        alert = self._alert
        self._note(
            "alert",
            {
                "source": alert.source,
                "restriction": alert.scope == Scope.PUBLIC and alert.restriction,
                "addresses": alert.addresses,
                "code": alert.codes,
                "incidents": alert.incidents,
                "the signature": alert.signatures,
                "foreign elements": alert.extensions,
            },
        )

    def _note_info(self, info: Info, written: Written) -> None:
        hazards = self._hazards
        level = hazards.level_named(written.colour)
        event = terms.event_of(written.event_type, info.headline or "", hazards)
        codes = [pair for pair in info.event_codes if pair.value_name != hazards.event_code_list]
        self._note(
            "alert/info",
            {
                "category": info.categories != (terms.category_of(written.event_type, hazards),),
                f"event ({event} stands for it)": info.event != event,
                "responseType": info.response_types,
                "severity beside the colour": level and info.severity != hazards.severity_of(level),
                "audience": info.audience,
                "contact": info.contact,
                **{f"eventCode {pair.value_name[:40]!r}": True for pair in codes},
                "foreign elements": info.extensions,
            },
        )
        self._note_parameters(info)

    def _note_parameters(self, info: Info) -> None:
        seen: set[str] = set()
        for pair in info.parameters:
            name = pair.value_name
            if name in seen or not self._is_said(pair, info):
                self._lose("alert/info/parameter", f"the parameter {name[:40]!r}")
            seen.add(name)

    def _is_said(self, pair: ValuePair, info: Info) -> bool:
        if pair.value_name == terms.CERTAINTY:
            return pair.value == terms.VERY_LIKELY and info.certainty == "Likely"
        known = (self._hazards.colour_parameter, terms.SIGNER, terms.PHONE, terms.FIRST_ISSUE)
        return pair.value_name in known or _METHOD.fullmatch(pair.value_name) is not None


def _refuse_audience(alert: Alert) -> None:
    inner = alert.scope == Scope.RESTRICTED and alert.restriction == terms.INNER_RESTRICTION
    if alert.scope != Scope.PUBLIC and not inner:
        raise cannot(f"scope is {alert.scope}; the national message is Public or Inner", "alert/scope")
    if alert.status == Status.SYSTEM:
        raise cannot("status is System, which the national message does not have", "alert/status")


def _element(name: str, text: str | None) -> str:
    # A bare carriage return would be read back as a line feed.
    return f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>" if text else f"<{name}/>"


def _time(value: datetime | None) -> str:
    return value.astimezone(terms.CHINA_TIME).isoformat(sep=" ") if value else ""


def _is_division(pair: ValuePair) -> bool:
    name = _YEAR.sub("", re.sub(r"[\W_]+", "", pair.value_name.casefold()))
    # A comma or space inside would be read as two codes.
    return name in _DIVISIONS and re.fullmatch(r"[^\s,，;；、]+", pair.value) is not None


def _padded(code: str) -> str:
    is_short = code.isascii() and code.isdigit() and len(code) in _SHORT_CODES
    return code.ljust(_CODE, "0") if is_short else code


def file_stem(written: Written, alert: Alert) -> str:
    """Return ``senderCode_time_eventType_severity_msgType`` of a message."""
    signed = _time(written.effective or alert.sent)
    digits = re.sub(r"[^0-9]", "", signed.partition("+")[0])
    head = f"{written.issuer}_{digits}_{written.event_type}"
    return f"{head}_{written.colour.upper()}_{alert.msg_type.upper()}"
