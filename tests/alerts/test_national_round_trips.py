"""National -> CAP -> national, and CAP -> national -> CAP: nothing is lost on the way."""

from __future__ import annotations

import tomllib
from datetime import timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.alerts.hazards import Hazards, Level
from gateway.alerts.model import Alert, Area, Circle, Info, Resource, ValuePair
from gateway.alerts.national import lost, parse_national, write_national
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from tests.alerts.conftest import CONFIG
from tests.alerts.test_write import lines, maybe, some, texts, times

HAZARDS = Hazards.from_toml(tomllib.loads(CONFIG.read_text("utf-8")))
BEIJING = timezone(timedelta(hours=8))
ISSUER = "99990041600000"
FIRST = f"{ISSUER}_20260701080000"
CHANNELS = ["SMS", "LED", "SPEAKER", "TV", "BROADCAST", "WEB", "PHONE", "FAX"]
SAMPLES = [
    "nwpis_henan_gale_update_20200205",
    "synthetic_rainstorm_cancel",
    "synthetic_rainstorm_red_alert",
    "synthetic_test_status",
]


def read(data, **more):
    return parse_national(data, HAZARDS, **more)


NUMBERS = st.decimals(Decimal("0.001"), Decimal(500_000), places=3)
LATS = st.decimals(4, 53, places=4)
LONS = st.decimals(74, 135, places=4)
DEFAULTS = {"urgency": "Unknown", "severity": "Unknown", "certainty": "Unknown", "language": "zh-CN"} | {
    "secClassification": "None"
}


def canonical(data):
    """The content of a message: no order between names, no empty elements, one spelling, bare numbers."""
    return _content(etree.fromstring(data))


def _content(node):
    if not len(node):
        return _value(etree.QName(node).localname, (node.text or "").strip())
    found = {}
    for child in node:
        name = etree.QName(child).localname
        name = "audiencePrt" if name.lower() in ("audenceprt", "audienceprt") else name
        if content := _content(child):
            found.setdefault(name, []).append(content)
    kind = etree.QName(node).localname
    wanted = {"info": ("urgency", "severity", "certainty", "language"), "alert": ("secClassification",)}
    for name in wanted.get(kind, ()):
        found.setdefault(name, [DEFAULTS[name]])
    return found


def _value(name, text):
    if name in ("polygon", "circle"):
        return [[Decimal(number).normalize() for number in pair.split(",")] for pair in text.split()]
    if name in ("geocode", "references"):
        return text.replace(" ", ",").split(",") if text else []
    return text


def tree(name, children):
    made = etree.Element(name)
    for key, content in children:
        if isinstance(content, str):
            etree.SubElement(made, key).text = content
        elif content is not None:
            made.append(tree(key, content))
    return made


def ring(lat, lon):
    corner = [(lat, lon), (lat, lon + 1), (lat + 1, lon + 1), (lat, lon)]
    return " ".join(f"{a},{b}" for a, b in corner)


def china_times():
    return times.map(lambda one: one.astimezone(BEIJING).isoformat(sep=" "))


def block(kind, **fields):
    """A strategy of the children of an element; a field may be a list of values."""
    return st.fixed_dictionaries(fields).map(
        lambda found: [
            (name, one)
            for name, value in found.items()
            for one in (value if isinstance(value, tuple) else (value,))
        ]
    )


empty_or = st.just("") | lines
divisions = st.lists(st.integers(110000, 659999).map(lambda code: f"{code}000000"), max_size=3).map(",".join)
method_blocks = block(
    "method",
    methodName=st.sampled_from(CHANNELS) | lines,
    message=empty_or,
    audienceGrp=empty_or,
    audenceprt=empty_or,
)
area_blocks = block(
    "area",
    areaDesc=texts,
    polygon=st.just("") | st.builds(ring, LATS, LONS),
    circle=st.just("") | st.builds("{},{} {}".format, LATS, LONS, NUMBERS),
    geocode=divisions,
)
resource_blocks = block(
    "resource",
    resourceDesc=lines,
    size=st.just("") | st.integers(0, 10**9).map(str),
    digest=empty_or,
)
info_blocks = block(
    "info",
    language=st.sampled_from(["", "zh-CN", "zh"]),
    eventType=st.sampled_from([one.code for one in HAZARDS.all()] + ["11B33", "99Z99"]),
    urgency=st.sampled_from(["", "Unknown", "Immediate", "Past"]),
    severity=st.sampled_from(["", "Unknown", "Red", "Orange", "Yellow", "Blue"]),
    certainty=st.sampled_from(["", "Unknown", "Likely", "VeryLikely", "Observed"]),
    effective=st.just("") | china_times(),
    onset=st.just("") | china_times(),
    expires=st.just("") | china_times(),
    senderName=empty_or,
    headline=empty_or
    | st.sampled_from(["虚构县气象局发布暴雨橙色预警", "虚构县解除大风蓝色预警[IV级/一般]"]),
    description=empty_or,
    instruction=empty_or,
    web=empty_or,
    resource=some(resource_blocks),
    area=some(area_blocks),
)
messages = block(
    "alert",
    identifier=st.sampled_from([FIRST, f"{FIRST}_0", "1101012DBX0012_20260101000000_9"]),
    sender=empty_or,
    senderCode=st.sampled_from([ISSUER, "11010141600000"]),
    phone=empty_or,
    sendTime=china_times(),
    status=st.sampled_from(["Actual", "Exercise", "Test", "Draft"]),
    msgType=st.sampled_from(["Alert", "Update", "Cancel", "Ack", "Error"]),
    scope=st.just("Public"),
    code=st.lists(method_blocks, max_size=3).map(lambda found: [("method", one) for one in found]),
    secClassification=st.sampled_from(["", "None", "Inner"]),
    note=empty_or,
    references=st.lists(st.sampled_from(["A_1", "A_2", FIRST]), max_size=2).map(",".join),
    info=info_blocks,
).map(lambda children: etree.tostring(tree("alert", children), encoding="utf-8"))


@st.composite
def profile_infos(draw):
    """An info block that the national message can say, in CAP's terms."""
    hazard = draw(st.sampled_from(HAZARDS.all()))
    level = draw(st.none() | st.sampled_from(Level))
    very_likely = draw(st.booleans())
    kept = {
        "12379:certainty": "VeryLikely" if very_likely else None,
        "12379:senderName": draw(maybe),
        "12379:phone": draw(maybe),
    }
    methods = [
        ValuePair(value_name=f"12379:method.{number}{part}", value=value)
        for number, name in enumerate(draw(st.lists(st.sampled_from(CHANNELS), max_size=3)), 1)
        for part, value in (("", name), (".message", draw(lines)))
    ]
    pairs = [ValuePair(value_name=name, value=value) for name, value in kept.items() if value]
    return Info(
        language="zh-CN",
        categories=(hazard.category,),
        event=hazard.zh,
        urgency=draw(st.sampled_from(["Immediate", "Future", "Unknown"])),
        severity=HAZARDS.severity_of(level) if level else "Unknown",
        certainty="Likely" if very_likely else draw(st.sampled_from(["Observed", "Unlikely"])),
        event_codes=(HAZARDS.code_pair(hazard),),
        effective=draw(st.none() | times),
        onset=draw(st.none() | times),
        expires=draw(st.none() | times),
        sender_name=draw(maybe),
        headline=draw(maybe),
        description=draw(maybe),
        instruction=draw(maybe),
        web=draw(maybe),
        parameters=((HAZARDS.colour_pair(level),) if level else ()) + (*pairs, *methods),
        resources=draw(
            some(st.builds(Resource, resource_desc=st.just("a.png"), mime_type=st.just("image/png")))
        ),
        areas=draw(some(profile_areas)),
    )


profile_areas = st.builds(
    Area,
    area_desc=texts,
    polygons=some(
        st.builds(
            lambda lat, lon: ((lat, lon), (lat, lon + 0.5), (lat + 0.5, lon), (lat, lon)),
            st.floats(4, 53),
            st.floats(74, 135),
        )
    ),
    circles=some(
        st.builds(Circle, lat=st.floats(4, 53), lon=st.floats(74, 135), radius_km=st.floats(0, 5000))
    ),
    geocodes=some(st.builds(ValuePair, value_name=st.just("GB/T 2260"), value=st.just("999900000000"))),
)
profile_alerts = st.builds(
    Alert,
    identifier=st.sampled_from([FIRST, f"{FIRST}_3"]),
    sender=st.just(ISSUER),
    sent=times,
    status=st.sampled_from(["Actual", "Exercise", "Test", "Draft"]),
    msg_type=st.sampled_from(["Alert", "Update", "Cancel"]),
    scope=st.just("Public"),
    note=maybe,
    malformed_references=some(st.sampled_from(["A_1", "A_2"])),
    infos=profile_infos().map(lambda one: (one,)),
)


class TestRoundTrips:
    @given(messages)
    @settings(max_examples=200)
    def test_a_national_message_says_the_same_after_having_been_cap(self, data):
        alert = read(data).alert
        through_cap = parse(write(alert)).alert
        assert through_cap == alert
        assert lost(through_cap, HAZARDS) == []
        again = write_national(through_cap, HAZARDS)
        assert canonical(again) == canonical(data)
        assert read(again).alert == alert

    @given(profile_alerts, st.booleans())
    @settings(max_examples=200)
    def test_an_alert_of_the_profile_is_the_same_after_having_been_national(self, alert, lat_first):
        assert lost(alert, HAZARDS) == []
        data = write_national(alert, HAZARDS, lat_first=lat_first)
        assert read(data, lat_first=lat_first).alert == alert

    @pytest.mark.parametrize("name", SAMPLES)
    def test_real_messages_come_back_as_they_were(self, corpus, name):
        data = (corpus / "china" / f"{name}.xml").read_bytes()
        alert = read(data).alert
        through_cap = parse(write(alert)).alert
        assert through_cap == alert
        assert canonical(write_national(through_cap, HAZARDS)) == canonical(data)
        assert lost(alert, HAZARDS) == []
