"""The writer: whatever the model can hold comes back as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.alerts.foreign import foreign_xml
from gateway.alerts.geometry import plain
from gateway.alerts.model import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MsgType,
    Reference,
    Resource,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
    ValuePair,
    is_word,
)
from gateway.alerts.parse import parse
from gateway.alerts.write import write

SCHEMA = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "schemas" / "CAP-v1.2.xsd"

FIRST = datetime(1, 1, 3)  # noqa: DTZ001 - the offset is drawn apart
LAST = datetime(9999, 12, 28)  # noqa: DTZ001 - the offset is drawn apart
NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters=NONCHARACTERS
) | st.sampled_from("\n\t\r<>&\"'暴雨 ")
texts = st.text(CHARACTERS, max_size=20).map(str.strip)
lines = texts.map(lambda text: text or "雨")
maybe = st.none() | lines
words = lines.map(lambda text: "".join(filter(is_word, text)) or "W")
items = texts.map(lambda text: text.replace('"', ""))
times = st.builds(
    lambda moment, minutes: moment.replace(tzinfo=timezone(timedelta(minutes=minutes)) if minutes else UTC),
    st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0)),
    st.integers(-14 * 60, 14 * 60),
)
NAMESPACES = [
    "",
    "u",
    "../u",
    "urn:x",
    "http://www.w3.org/XML/1998/namespace",
    "urn:oasis:names:tc:emergency:cap:1.2",
]
SIGNATURES = "http://www.w3.org/2000/09/xmldsig#"
XML_NAMES = st.sampled_from(["x", "y-1", "雨"])


def tag(namespace, name):
    return f"{{{namespace}}}{name}" if namespace else name


def element(name, text, attributes, children):
    made = etree.Element(name, attributes)
    made.text = text
    for child, tail in children:
        made.append(child)
        child.tail = tail
    return made


# lxml takes no characters but those that XML can carry, as the model does.
names = st.builds(tag, st.sampled_from(NAMESPACES), XML_NAMES)
attributes = st.dictionaries(st.builds(tag, st.sampled_from(NAMESPACES[:4]), XML_NAMES), texts, max_size=2)
leaves = st.builds(element, names, texts, attributes, st.just(()))
elements = st.recursive(
    leaves,
    lambda inner: st.builds(element, names, texts, attributes, st.lists(st.tuples(inner, texts), max_size=2)),
    max_leaves=4,
)
extensions = st.lists(elements.map(foreign_xml), max_size=1).map(tuple)
signatures = st.lists(
    st.builds(
        element,
        st.just(tag(SIGNATURES, "Signature")),
        texts,
        attributes,
        st.tuples(st.tuples(elements, texts)),
    ).map(foreign_xml),
    max_size=2,
).map(tuple)
pairs = st.lists(st.builds(ValuePair, value_name=texts, value=texts, extensions=extensions), max_size=2).map(
    tuple
)
degrees = st.floats(-90, 90)
legs = st.floats(0.001, 1)


def ring(lat, lon, north, east, others):
    """Three corners that never lie on one line, and whatever comes after them."""
    return ((lat, lon), (lat + north, lon), (lat, lon + east), *others, (lat, lon))


rings = st.builds(
    ring,
    st.floats(-90, 89),
    st.floats(-180, 179),
    legs,
    legs,
    st.lists(st.tuples(degrees, st.floats(-180, 180)), max_size=3),
)
circles = st.builds(Circle, lat=degrees, lon=st.floats(-180, 180), radius_km=st.floats(0, 20_000))
feet = st.none() | st.decimals(-1000, 60_000, allow_nan=False, places=3)


def some(strategy):
    return st.lists(strategy, max_size=2).map(tuple)


areas = st.builds(
    Area,
    area_desc=texts,
    polygons=some(rings),
    circles=some(circles),
    geocodes=pairs,
    altitude=feet,
    ceiling=feet,
    unusable_polygons=some(st.sampled_from(["1,2 3,4", "1;2", "91,1 92,2 93,1 91,1"])),
    unusable_circles=some(st.sampled_from(["1,2", "1,2 -3", "x"])),
    extensions=extensions,
)
resources = st.builds(
    Resource,
    resource_desc=texts,
    mime_type=lines,
    size=st.none() | st.integers(0, 10**9),
    uri=maybe,
    deref_uri=st.sampled_from([None, "aGVsbG8="]),
    digest=maybe,
    extensions=extensions,
)
infos = st.builds(
    Info,
    language=st.sampled_from([None, "zh-CN", "en", "bo", "x-0"]),
    categories=st.lists(st.sampled_from(Category), min_size=1, max_size=2).map(tuple),
    event=texts,
    response_types=some(st.sampled_from(ResponseType)),
    urgency=st.sampled_from(Urgency),
    severity=st.sampled_from(Severity),
    certainty=st.sampled_from(Certainty),
    audience=maybe,
    event_codes=pairs,
    effective=st.none() | times,
    onset=st.none() | times,
    expires=st.none() | times,
    sender_name=maybe,
    headline=maybe,
    description=maybe,
    instruction=maybe,
    web=maybe,
    contact=maybe,
    parameters=pairs,
    resources=some(resources),
    areas=some(areas),
    extensions=extensions,
)
alerts = st.builds(
    Alert,
    identifier=words,
    sender=words,
    sent=times,
    status=st.sampled_from(Status),
    msg_type=st.sampled_from(MsgType),
    source=maybe,
    scope=st.sampled_from(Scope),
    restriction=maybe,
    addresses=some(items),
    codes=some(texts),
    note=maybe,
    references=some(st.builds(Reference, sender=words, identifier=words, sent=times)),
    malformed_references=some(st.sampled_from(["x", "a,b", "a,b,yesterday"])),
    incidents=some(items),
    infos=some(infos),
    signatures=signatures,
    extensions=extensions,
)


@given(alerts)
@settings(max_examples=150)
def test_every_alert_comes_back_as_it_was(alert):
    data = write(alert)
    assert parse(data).alert == alert
    assert write(parse(data).alert) == data
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


@pytest.fixture(scope="module")
def schema():
    if not SCHEMA.is_file():
        pytest.skip("no corpus beside the checkout: ../shared/corpus")
    return etree.XMLSchema(etree.parse(SCHEMA))


def test_a_message_of_ours_is_valid(alert, schema):
    schema.assertValid(etree.fromstring(write(alert)))


def test_a_resource_inside_the_message_can_be_left_out_for_two_way_networks(alert):
    (info,) = alert.infos
    heavy = Resource(
        resource_desc="map", mime_type="image/png", uri="https://x.example.org/m", deref_uri="aGVsbG8="
    )
    loaded = alert.model_copy(update={"infos": (info.model_copy(update={"resources": (heavy,)}),)})
    assert parse(write(loaded)).alert == loaded
    (light,) = parse(write(loaded, content=False)).alert.infos[0].resources
    assert light == heavy.model_copy(update={"deref_uri": None})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_without_an_exponent_and_without_loss(number):
    assert "e" not in plain(number)
    assert float(plain(number)) == number


def test_a_carriage_return_survives(alert):
    (info,) = alert.infos
    two_lines = alert.model_copy(update={"infos": (info.model_copy(update={"description": "a\r\nb\rc"}),)})
    assert parse(write(two_lines)).alert == two_lines


def test_the_model_refuses_what_xml_cannot_carry():
    for character in ("\x00", "\x01", "\ufffe"):
        with pytest.raises(ValueError, match="pattern"):
            ValuePair(value_name=f"a{character}b", value="")
