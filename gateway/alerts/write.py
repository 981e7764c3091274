"""An :class:`~gateway.alerts.model.Alert` as the XML of CAP 1.2.

``parse(write(alert)).alert == alert``, and the result is valid against CAP-v1.2.xsd, with one exception
that the schema leaves no room for: elements foreign to CAP inside of the message. Leave them out with
``foreign=False`` where the receiver insists on the schema.

A signed message is relayed as the bytes that were received, never as what is written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from xml.sax.saxutils import escape

from gateway.alerts.geometry import write_circle, write_polygon
from gateway.alerts.times import write_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from decimal import Decimal

    from gateway.alerts.model import Alert, Area, Info, Resource, ValuePair

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<alert xmlns="{NAMESPACE}">'


class _Extended(Protocol):
    @property
    def extensions(self) -> tuple[str, ...]: ...


def write(alert: Alert, *, foreign: bool = True, content: bool = True) -> bytes:
    """The message as a UTF-8 document.

    Args:
        alert: The message.
        foreign: Whether elements foreign to CAP are written; a signature always is.
        content: Whether derefUri is written. It must not go to networks on which receivers answer, nor to
            any whose clients cannot all take it (CAP 1.2, 3.2.3): whoever feeds such a network leaves it out.
    """
    alert = alert if content else _without_content(alert)
    return f"{_HEAD}{''.join(_alert(alert, foreign))}</alert>\n".encode()


def _without_content(alert: Alert) -> Alert:
    def stripped(info: Info) -> Info:
        resources = tuple(one.model_copy(update={"deref_uri": None}) for one in info.resources)
        return info.model_copy(update={"resources": resources})

    return alert.model_copy(update={"infos": tuple(map(stripped, alert.infos))})


def _element(name: str, text: str | None) -> str:
    if text is None:
        return ""
    # A bare carriage return would be read back as a line feed.
    return f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>"


def _elements(name: str, texts: Iterable[str]) -> Iterator[str]:
    return (_element(name, text) for text in texts)


def _time(name: str, value: datetime | None) -> str:
    return _element(name, write_time(value) if value else None)


def _pairs(name: str, pairs: Iterable[ValuePair], foreign: bool) -> Iterator[str]:
    for pair in pairs:
        inside = _element("valueName", pair.value_name) + _element("value", pair.value)
        yield f"<{name}>{inside}{_kept(pair, foreign)}</{name}>"


def _items(name: str, items: tuple[str, ...]) -> str:
    quoted = [f'"{item}"' if not item or item.split() != [item] else item for item in items]
    return _element(name, " ".join(quoted) or None)


def _kept(model: _Extended, foreign: bool) -> str:
    return "".join(model.extensions) if foreign else ""


def _references(alert: Alert) -> str:
    triples = [f"{r.sender},{r.identifier},{write_time(r.sent)}" for r in alert.references]
    return _element("references", " ".join([*triples, *alert.malformed_references]) or None)


def _alert(alert: Alert, foreign: bool) -> Iterator[str]:
    yield _element("identifier", alert.identifier)
    yield _element("sender", alert.sender)
    yield _time("sent", alert.sent)
    yield _element("status", alert.status)
    yield _element("msgType", alert.msg_type)
    yield _element("source", alert.source)
    yield _element("scope", alert.scope)
    yield _element("restriction", alert.restriction)
    yield _items("addresses", alert.addresses)
    yield from _elements("code", alert.codes)
    yield _element("note", alert.note)
    yield _references(alert)
    yield _items("incidents", alert.incidents)
    for info in alert.infos:
        yield f"<info>{''.join(_info(info, foreign))}</info>"
    yield _kept(alert, foreign)
    yield from alert.signatures


def _info(info: Info, foreign: bool) -> Iterator[str]:
    yield _element("language", info.language)
    yield from _elements("category", info.categories)
    yield _element("event", info.event)
    yield from _elements("responseType", info.response_types)
    yield _element("urgency", info.urgency)
    yield _element("severity", info.severity)
    yield _element("certainty", info.certainty)
    yield _element("audience", info.audience)
    yield from _pairs("eventCode", info.event_codes, foreign)
    yield _time("effective", info.effective)
    yield _time("onset", info.onset)
    yield _time("expires", info.expires)
    yield _element("senderName", info.sender_name)
    yield _element("headline", info.headline)
    yield _element("description", info.description)
    yield _element("instruction", info.instruction)
    yield _element("web", info.web)
    yield _element("contact", info.contact)
    yield from _pairs("parameter", info.parameters, foreign)
    for resource in info.resources:
        yield f"<resource>{''.join(_resource(resource, foreign))}</resource>"
    for area in info.areas:
        yield f"<area>{''.join(_area(area, foreign))}</area>"
    yield _kept(info, foreign)


def _resource(resource: Resource, foreign: bool) -> Iterator[str]:
    yield _element("resourceDesc", resource.resource_desc)
    yield _element("mimeType", resource.mime_type)
    yield _element("size", None if resource.size is None else str(resource.size))
    yield _element("uri", resource.uri)
    yield _element("derefUri", resource.deref_uri)
    yield _element("digest", resource.digest)
    yield _kept(resource, foreign)


def _area(area: Area, foreign: bool) -> Iterator[str]:
    yield _element("areaDesc", area.area_desc)
    yield from _elements("polygon", map(write_polygon, area.polygons))
    yield from _elements("polygon", area.unusable_polygons)
    yield from _elements("circle", map(write_circle, area.circles))
    yield from _elements("circle", area.unusable_circles)
    yield from _pairs("geocode", area.geocodes, foreign)
    yield _decimal("altitude", area.altitude)
    yield _decimal("ceiling", area.ceiling)
    yield _kept(area, foreign)


def _decimal(name: str, value: Decimal | None) -> str:
    return _element(name, None if value is None else format(value, "f"))
