"""The inside of an info block: texts, codes, resources and areas."""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.alerts.findings import Refused
from gateway.alerts.geometry import read_circle, read_polygon
from gateway.alerts.language import UNDETERMINED, is_tag
from gateway.alerts.model import (
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    Resource,
    ResponseType,
    Severity,
    Urgency,
    ValuePair,
)
from gateway.alerts.node import choose

if TYPE_CHECKING:
    from gateway.alerts.model import Polygon
    from gateway.alerts.node import Budget, Node

_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_BINARY = "application/octet-stream"


def read_info(node: Node, version: str, budget: Budget) -> Info:
    """One info block."""
    node.sort("info", budget)
    return Info(
        language=_language(node),
        categories=_categories(node, version),
        event=_event(node),
        response_types=node.choices("responseType", ResponseType),
        urgency=node.need_choice("urgency", Urgency),
        severity=node.need_choice("severity", Severity),
        certainty=_certainty(node),
        audience=node.text("audience"),
        event_codes=_pairs(node, "eventCode", version, budget),
        effective=node.time("effective"),
        onset=node.time("onset"),
        expires=node.time("expires"),
        sender_name=node.text("senderName"),
        headline=node.text("headline"),
        description=node.text("description"),
        instruction=node.text("instruction"),
        web=node.text("web"),
        contact=node.text("contact"),
        parameters=_pairs(node, "parameter", version, budget),
        resources=_resources(node, budget),
        areas=tuple(_area(area, version, budget) for area in node.nodes("area")),
        extensions=node.extensions(),
    )


def _language(node: Node) -> str | None:
    text = node.text("language")
    if text is None or is_tag(text):
        return text
    node.raw.setdefault(node.at("language"), text)
    hyphened = text.replace("_", "-")
    if is_tag(hyphened):
        node.found.add("language_underscore", node.at("language"))
        return hyphened
    node.found.add("language_malformed", node.at("language"))
    return UNDETERMINED


def _categories(node: Node, version: str) -> tuple[Category, ...]:
    categories = node.choices("category", Category)
    if categories:
        return categories
    if version != "1.0":
        raise Refused("missing_element", "category is missing", node.at("category"))
    node.found.add("category_default", node.at("category"))
    return (Category.OTHER,)


def _event(node: Node) -> str:
    event = node.words("event")
    if not event:
        node.found.add("event_empty", node.at("event"))
    return event


def _certainty(node: Node) -> Certainty:
    text = node.need("certainty")
    if text == "Very Likely":
        node.found.add("certainty_very_likely", node.at("certainty"))
        return Certainty.LIKELY
    return choose(text, Certainty, node.at("certainty"))


def _pairs(node: Node, name: str, version: str, budget: Budget) -> tuple[ValuePair, ...]:
    return tuple(_pair(child, version, budget) for child in node.nodes(name))


def _pair(node: Node, version: str, budget: Budget) -> ValuePair:
    if version == "1.0" and not len(node.element):
        name, _, value = node.value().partition("=")
        return ValuePair(value_name=name, value=value)
    node.sort("pair", budget)
    return ValuePair(
        value_name=node.words("valueName"), value=node.words("value"), extensions=node.extensions()
    )


def _resources(node: Node, budget: Budget) -> tuple[Resource, ...]:
    read = [_resource(child, budget) for child in node.nodes("resource")]
    return tuple(resource for resource in read if resource is not None)


def _resource(node: Node, budget: Budget) -> Resource | None:
    node.sort("resource", budget)
    uri, content = node.text("uri"), _content(node)
    if content is None and uri is None and node.first("derefUri") is not None:
        return None
    return Resource(
        resource_desc=_resource_desc(node),
        mime_type=_mime_type(node),
        size=_size(node),
        uri=uri,
        deref_uri=content,
        digest=node.text("digest"),
        extensions=node.extensions(),
    )


def _resource_desc(node: Node) -> str:
    if node.first("resourceDesc") is None:
        node.found.add("resource_incomplete", node.path)
        return ""
    return node.words("resourceDesc")


def _mime_type(node: Node) -> str:
    given = node.text("mimeType")
    if given is None:
        node.found.add("mime_type_missing", node.at("mimeType"))
    return given or _BINARY


def _size(node: Node) -> int | None:
    text = node.text("size")
    if text is None or _WHOLE.fullmatch(text):
        return int(text) if text else None
    node.found.add("size_malformed", node.at("size"))
    return None


def _content(node: Node) -> str | None:
    text = node.text("derefUri")
    if text is None or decoded(text) is not None:
        return text
    node.found.add("resource_bad_base64", node.at("derefUri"))
    return None


def decoded(deref_uri: str) -> bytes | None:
    """The content of a derefUri; ``None`` where it is not base64 (line breaks are allowed)."""
    try:
        return base64.b64decode("".join(deref_uri.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _area(node: Node, version: str, budget: Budget) -> Area:
    node.sort("area", budget)
    polygons, bad_polygons = _polygons(node, budget)
    circles, bad_circles = _circles(node)
    desc = node.words("areaDesc")
    if not desc:
        node.found.add("area_desc_empty", node.at("areaDesc"))
    return Area(
        area_desc=desc,
        polygons=polygons,
        circles=circles,
        geocodes=_pairs(node, "geocode", version, budget),
        altitude=_decimal(node, "altitude"),
        ceiling=_decimal(node, "ceiling"),
        unusable_polygons=bad_polygons,
        unusable_circles=bad_circles,
        extensions=node.extensions(),
    )


def _polygons(node: Node, budget: Budget) -> tuple[tuple[Polygon, ...], tuple[str, ...]]:
    good: list[Polygon] = []
    bad: list[str] = []
    for child in node.nodes("polygon"):
        text = child.value()
        if not text:
            node.found.add("polygon_empty", node.at("polygon"))
            continue
        budget.spend_points(text.count(","), child.path)
        polygon, problems = read_polygon(text)
        for problem in problems:
            node.found.add(problem.code, node.at("polygon"), problem.message)
        if problems:
            node.raw[child.path] = text
        if polygon is None:
            bad.append(text)
        else:
            good.append(polygon)
    return tuple(good), tuple(bad)


def _circles(node: Node) -> tuple[tuple[Circle, ...], tuple[str, ...]]:
    good: list[Circle] = []
    bad: list[str] = []
    for child in node.nodes("circle"):
        text = child.value()
        if not text:
            node.found.add("circle_empty", node.at("circle"))
            continue
        circle, problems = read_circle(text)
        for problem in problems:
            node.found.add(problem.code, node.at("circle"), problem.message)
        if circle is None:
            bad.append(text)
        else:
            good.append(circle)
    return tuple(good), tuple(bad)


def _decimal(node: Node, name: str) -> Decimal | None:
    text = node.text(name)
    if text is None or _DECIMAL.fullmatch(text):
        return Decimal(text) if text else None
    node.found.add("altitude_malformed", node.at(name))
    return None
