"""The national message: read, written, and back again without loss."""

from __future__ import annotations

import contextlib
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from typer.testing import CliRunner

from gateway.alerts import national_terms as terms
from gateway.alerts.findings import CODES, Refused
from gateway.alerts.hazards import Hazards, Level
from gateway.alerts.model import (
    Circle,
    Reference,
    Resource,
    ValuePair,
)
from gateway.alerts.national import NAMESPACE, file_name, lost, parse_national, write_national
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from gateway.alerts.xml import Limits
from gateway.commands.alert import app
from tests.alerts.conftest import CONFIG

BEIJING = timezone(timedelta(hours=8))
FIRST = "99990041600000_20260701080000"
ISSUER = "99990041600000"
CHANNELS = ["SMS", "LED", "SPEAKER", "TV", "BROADCAST", "WEB", "PHONE", "FAX"]


HAZARDS = Hazards.from_toml(tomllib.loads(CONFIG.read_text("utf-8")))


def element(name, content):
    if isinstance(content, str):
        return f"<{name}>{content}</{name}>"
    return f"<{name}>{''.join(element(key, one) for key, one in content)}</{name}>"


def message(info=(), area=(), *, root="alert", **head):
    """An invented message with the elements given in place of the usual ones; None leaves one out."""
    areas = {"areaDesc": "虚构县", "geocode": "999900000000"} | dict(area)
    block = {
        "language": "zh-CN",
        "eventType": "11B03",
        "urgency": "Unknown",
        "severity": "Orange",
        "certainty": "Unknown",
        "effective": "2026-07-01 08:00:00+08:00",
        "headline": "虚构县气象局发布暴雨橙色预警[II级/严重]",
        "area": list(areas.items()),
    } | dict(info)
    whole = {
        "identifier": FIRST,
        "sender": "虚构县气象局",
        "senderCode": ISSUER,
        "sendTime": "2026-07-01 08:00:00+08:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        "code": "",
        "secClassification": "None",
        "references": "",
        "info": [(name, one) for name, one in block.items() if one is not None],
    } | head
    said = "".join(element(name, one) for name, one in whole.items() if one is not None)
    return f"<{root}>{said}</{root.split()[0]}>".encode()


def without_info(data):
    return data[: data.index(b"<info>")] + b"</alert>"


def codes(parsed):
    return [one.code for one in parsed.findings]


def read(data, **more):
    return parse_national(data, HAZARDS, **more)


def area_of(data, **more):
    (info,) = read(data, **more).alert.infos
    return info.areas[0]


def parameters(alert):
    return {pair.value_name: pair.value for pair in alert.infos[0].parameters}


class TestTheMessageOfHenan:
    @pytest.fixture
    def parsed(self, corpus):
        return read((corpus / "china" / "nwpis_henan_gale_update_20200205.xml").read_bytes())

    def test_nothing_about_it_is_unusual(self, parsed):
        assert codes(parsed) == []

    def test_the_issuers_code_is_the_sender_and_its_name_that_of_the_office(self, parsed):
        alert = parsed.alert
        assert (alert.sender, alert.identifier) == ("41000041600000", "41000041600000_20200205105119")
        assert alert.infos[0].sender_name == "河南省气象局"
        assert alert.sent == datetime(2020, 2, 5, 10, 45, tzinfo=BEIJING)

    def test_the_colour_and_the_event_type_go_by_the_hazard_table(self, parsed):
        (info,) = parsed.alert.infos
        assert (info.event, info.severity, info.categories) == ("大风", "Minor", ("Met",))
        assert info.event_codes == (ValuePair(value_name="12379:eventType", value="11B06"),)
        assert parameters(parsed.alert)["tongda:colour"] == "blue"

    def test_the_first_issue_is_a_bare_reference(self, parsed):
        assert parsed.alert.references == ()
        assert parsed.alert.malformed_references == ("41000041600000_20200204121842",)

    def test_texts_and_audiences_of_channels_are_kept_in_order(self, parsed):
        kept = parameters(parsed.alert)
        assert [kept[f"12379:method.{number}"] for number in (1, 2, 3)] == ["SPEAKER", "SMS", "WEB"]
        assert kept["12379:method.2.message"].startswith("河南省气象台2020年02月05日10时45分继续发布")
        assert kept["12379:method.2.audienceGrp"].startswith("d90a8856-")
        assert "12379:method.3.audienceGrp" not in kept
        assert kept["12379:method.3.audiencePrt"] == ","

    def test_every_code_of_the_list_is_a_geocode(self, parsed):
        (area,) = parsed.alert.infos[0].areas
        assert [(one.value_name, one.value) for one in area.geocodes] == [("GB/T 2260", "410000000000")] * 2

    def test_no_expires_stays_none(self, parsed):
        assert parsed.alert.expires is None


SAMPLES = ["nwpis_henan_gale_update_20200205", "synthetic_rainstorm_red_alert", "synthetic_rainstorm_cancel"]


class TestCorpus:
    def test_status_and_type_are_caps_words(self, corpus):
        found = {
            name: read((corpus / "china" / f"{name}.xml").read_bytes()).alert
            for name in ("synthetic_test_status", "synthetic_rainstorm_cancel")
        }
        assert [(one.status, one.msg_type) for one in found.values()] == [
            ("Test", "Alert"),
            ("Actual", "Cancel"),
        ]

    def test_nothing_else_of_the_corpus_is_a_national_message(self, corpus):
        taken = []
        for path in sorted(corpus.glob("*/*.xml")):
            with contextlib.suppress(Refused):
                read(path.read_bytes())
                taken.append(path.stem)
        assert taken == sorted([*SAMPLES, "synthetic_test_status"])


REFUSED = {
    "another root": (b"<msg/>", "wrong_root"),
    "CAP": (b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>', "wrong_namespace"),
    "another namespace": (b'<alert xmlns="urn:x"/>', "wrong_namespace"),
    "a DOCTYPE": (b"<!DOCTYPE a><alert/>", "doctype"),
    "nothing": (b"", "empty"),
    "no identifier": (message(identifier=None), "missing_element"),
    "a space in the identifier": (message(identifier="a b"), "word_malformed"),
    "a comma in the issuer": (message(senderCode="a,b"), "word_malformed"),
    "no issuer anywhere": (message(identifier="x", senderCode=None), "missing_element"),
    "no time": (message(sendTime=""), "time_malformed"),
    "a time of another form": (message(sendTime="2026/07/01 08:00"), "time_malformed"),
    "a day that is none": (message(sendTime="2026-02-30 08:00:00+08:00"), "time_malformed"),
    "no status": (message(status=None), "missing_element"),
    "a status of its own": (message(status="Real"), "value_unknown"),
    "a type of its own": (message(msgType="Lift"), "value_unknown"),
    "a secrecy of its own": (message(secClassification="Secret"), "value_unknown"),
    "a colour of its own": (message({"severity": "Purple"}), "value_unknown"),
    "CAP's severity": (message({"severity": "Extreme"}), "value_unknown"),
    "an urgency of its own": (message({"urgency": "Soon"}), "value_unknown"),
    "two sendTimes": (
        message(status="Actual</status><sendTime>x</sendTime><status>Actual"),
        "duplicate_element",
    ),
    "two blocks": (message(status="Actual</status><info/><status>Actual"), "duplicate_element"),
    "two spellings of an audience": (
        message(code="<method><audenceprt>a</audenceprt><audiencePrt>b</audiencePrt></method>"),
        "duplicate_element",
    ),
    "an element of CAP": (
        message(note='</note><sent xmlns="urn:oasis:names:tc:emergency:cap:1.2"/><note>'),
        "versions_mixed",
    ),
    "markup in the identifier": (message(identifier=f"{FIRST}<b/>"), "markup_in_value"),
}


class TestReading:
    @pytest.mark.parametrize("name", REFUSED)
    def test_what_nobody_may_act_on_is_refused(self, name):
        data, code = REFUSED[name]
        with pytest.raises(Refused) as refused:
            read(data)
        assert refused.value.code == code
        assert "\n" not in str(refused.value)

    def test_the_namespace_of_the_platform_is_read_too(self):
        assert read(message(root=f'alert xmlns="{NAMESPACE}"')).alert == read(message()).alert

    @pytest.mark.parametrize("spelling", ["audencePrt", "audenceprt", "audiencePrt", "audienceprt"])
    def test_every_spelling_of_the_audience_is_read(self, spelling):
        method = f"<method><methodName>SMS</methodName><{spelling}>a</{spelling}></method>"
        assert parameters(read(message(code=method)).alert)["12379:method.1.audiencePrt"] == "a"

    def test_an_empty_method_is_no_information(self):
        assert read(message(code="<method><methodName/></method>")).alert == read(message()).alert

    @pytest.mark.parametrize(
        ("colour", "severity", "level"),
        [
            ("Red", "Extreme", "red"),
            ("Orange", "Severe", "orange"),
            ("Yellow", "Moderate", "yellow"),
            ("Blue", "Minor", "blue"),
            ("BLUE", "Minor", "blue"),
            ("Unknown", "Unknown", None),
            ("", "Unknown", None),
        ],
    )
    def test_the_colour_becomes_severity_and_stays_a_colour(self, colour, severity, level):
        alert = read(message({"severity": colour, "headline": ""})).alert
        assert alert.infos[0].severity == severity
        assert parameters(alert).get("tongda:colour") == level

    @pytest.mark.parametrize(
        ("event_type", "event", "category"),
        [
            ("11B20", "雷雨大风", "Met"),
            ("11C02", "天然地震", "Geo"),
            ("11B33", "暴雨", "Met"),
            ("11G77", "暴雨", "Fire"),
            ("13Z99", "暴雨", "Health"),
            ("99999", "暴雨", "Other"),
        ],
    )
    def test_the_event_is_named_by_the_table_else_by_the_headline(self, event_type, event, category):
        (info,) = read(message({"eventType": event_type})).alert.infos
        assert (info.event, info.categories) == (event, (category,))

    def test_an_unknown_event_type_without_a_headline_is_its_own_name(self):
        parsed = read(message({"eventType": "99Z99", "headline": ""}))
        assert parsed.alert.infos[0].event == "99Z99"
        assert codes(parsed) == ["event_type_unknown"]

    def test_no_event_at_all_is_an_error(self):
        parsed = read(message({"eventType": "", "headline": ""}))
        assert parsed.alert.infos[0].event == ""
        assert codes(parsed) == ["event_empty"]

    def test_very_likely_is_likely_and_remembered(self):
        alert = read(message({"certainty": "VeryLikely"})).alert
        assert alert.infos[0].certainty == "Likely"
        assert parameters(alert)["12379:certainty"] == "VeryLikely"

    def test_inner_is_restricted(self):
        alert = read(message(secClassification="Inner")).alert
        assert alert.scope == "Restricted"
        assert alert.restriction

    def test_the_signer_and_the_phone_are_kept_and_the_office_is_the_sender(self):
        kept = parameters(read(message({"senderName": "虚构人"}, phone="000-0000")).alert)
        assert (kept["12379:senderName"], kept["12379:phone"]) == ("虚构人", "000-0000")

    def test_a_missing_language_is_chinese_and_not_caps_default(self):
        assert read(message({"language": ""})).alert.infos[0].language == "zh-CN"

    def test_a_missing_issuer_is_taken_from_the_identifier(self):
        parsed = read(message(senderCode=None))
        assert parsed.alert.sender == ISSUER
        assert codes(parsed) == ["issuer_assumed"]

    @pytest.mark.parametrize("time", ["2026-07-01 08:00:00", "2026-07-01T08:00:00"])
    def test_a_time_without_offset_is_beijing_time(self, time):
        parsed = read(message(sendTime=time))
        assert parsed.alert.sent == datetime(2026, 7, 1, 8, tzinfo=BEIJING)
        assert codes(parsed) == ["time_zone_assumed"]

    @pytest.mark.parametrize("text", ["a b", "a,b", "a;b", "a，b", " a, b,"])
    def test_references_may_be_any_list(self, text):
        assert read(message(references=text)).alert.malformed_references == ("a", "b")

    def test_a_cancel_without_info_is_read_and_what_is_left_out_is_told(self):
        parsed = read(without_info(message(msgType="Cancel", references=FIRST)))
        assert parsed.alert.infos == ()
        assert parsed.alert.malformed_references == (FIRST,)
        assert codes(parsed) == ["national_not_kept"]

    def test_unknown_elements_are_kept_as_foreign_ones(self):
        parsed = read(message({"x": "1"}, extra="2"))
        assert "extra" in parsed.alert.extensions[0]
        assert codes(parsed) == ["foreign_element", "foreign_element"]
        assert parse(write(parsed.alert)).alert == parsed.alert

    def test_a_signature_is_left_out_with_a_word(self):
        signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'
        parsed = read(message().replace(b"<info>", f"{signature}<info>".encode()))
        assert parsed.alert.signatures == ()
        assert codes(parsed) == ["national_not_kept"]

    def test_attachments_have_the_type_that_their_name_ends_in(self):
        resource = [("resourceDesc", "虚构_P_01.pdf"), ("size", "12"), ("digest", "0" * 40)]
        (one,) = read(message({"resource": resource})).alert.infos[0].resources
        assert (one.mime_type, one.size) == ("application/pdf", 12)

    @pytest.mark.parametrize(
        ("info", "head"),
        [
            ({"headline": "虚构县气象局发布暴雨红色预警"}, {}),
            ({"headline": "虚构县气象局发布暴雨橙色预警[I级/特别严重]"}, {}),
            ({"headline": "虚构县气象局发布大风橙色预警"}, {}),
            ({"headline": "虚构县气象局解除暴雨橙色预警"}, {}),
            ({"headline": "虚构县气象局解除暴雨橙色预警"}, {"msgType": "Update"}),
        ],
    )
    def test_a_headline_that_says_something_else_is_an_error(self, info, head):
        parsed = read(message(info, **head))
        assert codes(parsed) == ["title_disagrees"]
        assert CODES["title_disagrees"].severity == "error"

    @given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
    def test_any_bytes_are_read_or_refused(self, data):
        for body in (
            data,
            b"<alert>" + data + b"</alert>",
            message(note="x" + data.decode("utf-8", "ignore")),
        ):
            with contextlib.suppress(Refused):
                alert = read(body).alert
                assert parse(write(alert)).alert == alert

    def test_codes_of_all_areas_are_counted_together(self):
        areas = element("area", [("geocode", "1," * 600)]) * 2
        with pytest.raises(Refused) as refused:
            read(message().replace(b"</info>", f"{areas}</info>".encode()))
        assert refused.value.code == "too_many_items"

    def test_limits_hold(self):
        many = " ".join(f"{number}" for number in range(1001))
        with pytest.raises(Refused) as refused:
            read(message(references=many))
        assert refused.value.code == "too_many_items"
        ring = " ".join(["30,110"] * 101)
        with pytest.raises(Refused) as refused:
            read(message(area={"polygon": ring}), limits=Limits(points=100))
        assert refused.value.code == "too_many_points"


LAT_FIRST = "30,110 30,111 31,111 31,110 30,110"
LON_FIRST = "110,30 111,30 111,31 110,31 110,30"
RING = ((30.0, 110.0), (30.0, 111.0), (31.0, 111.0), (31.0, 110.0), (30.0, 110.0))


class TestShapes:
    @pytest.mark.parametrize(
        ("text", "lat_first", "found"),
        [
            (LAT_FIRST, True, []),
            (LON_FIRST, True, ["axes_swapped"]),
            (LON_FIRST, False, []),
            (LAT_FIRST, False, ["axes_swapped"]),
            (LAT_FIRST.removesuffix(" 30,110"), True, ["polygon_unclosed"]),
        ],
    )
    def test_a_ring_in_china_shows_its_order(self, text, lat_first, found):
        parsed = read(message(area={"polygon": text}), lat_first=lat_first)
        assert parsed.alert.infos[0].areas[0].polygons == (RING,)
        assert codes(parsed) == found

    @pytest.mark.parametrize(
        "text", ["1,2 1,3 2,3 1,2", "60,20 61,20 61,21 60,20", "30,110 30,111 31,180 30,110"]
    )
    def test_a_ring_outside_of_china_is_an_error(self, text):
        parsed = read(message(area={"polygon": text}))
        assert codes(parsed) == ["axes_unclear"]
        assert CODES["axes_unclear"].severity == "error"

    @pytest.mark.parametrize(
        "text", ["30,110", "30;110 31;110", "30 110 31 111", "north", "30,110 30,111 30,112 30,110"]
    )
    def test_a_ring_that_cannot_be_used_is_set_aside_in_cap_too(self, text):
        alert = read(message(area={"polygon": text})).alert
        (area,) = alert.infos[0].areas
        assert area.polygons == ()
        assert area.unusable_polygons
        assert parse(write(alert)).alert == alert

    @pytest.mark.parametrize(
        ("text", "lat_first", "found"),
        [
            ("30.5,110.25 1500", True, []),
            ("110.25,30.5 1500", True, ["axes_swapped"]),
            ("110.25,30.5 1500.0", False, []),
        ],
    )
    def test_a_circle_is_in_metres(self, text, lat_first, found):
        parsed = read(message(area={"circle": text}), lat_first=lat_first)
        assert parsed.alert.infos[0].areas[0].circles == (Circle(lat=30.5, lon=110.25, radius_km=1.5),)
        assert codes(parsed) == found

    @pytest.mark.parametrize(
        "text", ["30,110", "30,110,5", "30,110 -5", "30,110 1e3", "30,110 99999999999", "x"]
    )
    def test_a_circle_that_cannot_be_used_is_set_aside_in_cap_too(self, text):
        alert = read(message(area={"circle": text})).alert
        assert alert.infos[0].areas[0].circles == ()
        assert parse(write(alert)).alert == alert

    @pytest.mark.parametrize("lat_first", [True, False])
    def test_the_order_can_be_chosen_for_writing(self, lat_first):
        alert = read(message(area={"polygon": LAT_FIRST, "circle": "30,110 500"})).alert
        data = write_national(alert, HAZARDS, lat_first=lat_first)
        parsed = read(data, lat_first=lat_first)
        assert parsed.alert == alert
        assert codes(parsed) == []


@pytest.fixture
def ours(alert, info):
    """The alert of the conftest with what the national message needs, sent by its issuer's code."""
    area = info.areas[0].model_copy(
        update={"geocodes": (ValuePair(value_name="GB/T 2260", value="999900000000"),)}
    )
    level = Level.ORANGE
    block = info.model_copy(
        update={
            "event_codes": (HAZARDS.code_pair(HAZARDS.by_key("rainstorm")),),
            "parameters": (HAZARDS.colour_pair(level),),
            "contact": None,
            "areas": (area,),
        }
    )
    return alert.model_copy(update={"sender": ISSUER, "infos": (block,)})


def with_info(alert, **changes):
    return alert.model_copy(update={"infos": (alert.infos[0].model_copy(update=changes),)})


def with_area(alert, **changes):
    return with_info(alert, areas=(alert.infos[0].areas[0].model_copy(update=changes),))


def colour(*values):
    return tuple(ValuePair(value_name="tongda:colour", value=value) for value in values)


CANNOT = {
    "no block": lambda one: one.model_copy(update={"infos": ()}),
    "no Chinese": lambda one: with_info(one, language="en"),
    "CAP's default language": lambda one: with_info(one, language=None),
    "Traditional Chinese": lambda one: with_info(one, language="zh-TW"),
    "two Chinese blocks": lambda one: one.model_copy(update={"infos": one.infos * 2}),
    "an identifier of CAP": lambda one: one.model_copy(update={"identifier": "urn:oid:2.49.0.1.156.1"}),
    "an unknown event": lambda one: with_info(one, event_codes=(), event="虚构"),
    "two event types": lambda one: with_info(
        one, event_codes=(*one.infos[0].event_codes, ValuePair(value_name="12379:eventType", value="11B06"))
    ),
    "no colour": lambda one: with_info(one, parameters=()),
    "two colours": lambda one: with_info(one, parameters=colour("red", "blue")),
    "an unknown colour": lambda one: with_info(one, parameters=colour("green")),
    "Private": lambda one: one.model_copy(update={"scope": "Private", "addresses": ("a",)}),
    "Restricted by somebody": lambda one: one.model_copy(
        update={"scope": "Restricted", "restriction": "police"}
    ),
    "System": lambda one: one.model_copy(update={"status": "System"}),
    "a polygon that cannot be used": lambda one: with_area(one, unusable_polygons=("x",)),
    "codes of another list only": lambda one: with_area(
        one, polygons=(), geocodes=(ValuePair(value_name="SAME", value="006109"),)
    ),
}
LOST = {
    "another language": (
        lambda one: one.model_copy(
            update={"infos": (*one.infos, one.infos[0].model_copy(update={"language": "en"}))}
        ),
        "alert/info",
    ),
    "sender": (lambda one: one.model_copy(update={"sender": "desk@warn.example.org"}), "alert/sender"),
    "source": (lambda one: one.model_copy(update={"source": "x"}), "alert"),
    "restriction": (lambda one: one.model_copy(update={"restriction": "x"}), "alert"),
    "addresses": (lambda one: one.model_copy(update={"addresses": ("x",)}), "alert"),
    "code": (lambda one: one.model_copy(update={"codes": ("x",)}), "alert"),
    "incidents": (lambda one: one.model_copy(update={"incidents": ("x",)}), "alert"),
    "signature": (lambda one: one.model_copy(update={"signatures": ("<x/>",)}), "alert"),
    "foreign": (lambda one: one.model_copy(update={"extensions": ("<x/>",)}), "alert"),
    "category": (lambda one: with_info(one, categories=("Geo",)), "alert/info"),
    "event": (lambda one: with_info(one, event="大暴雨"), "alert/info"),
    "responseType": (lambda one: with_info(one, response_types=("Shelter",)), "alert/info"),
    "severity": (lambda one: with_info(one, severity="Extreme"), "alert/info"),
    "audience": (lambda one: with_info(one, audience="x"), "alert/info"),
    "contact": (lambda one: with_info(one, contact="x"), "alert/info"),
    "eventCode": (
        lambda one: with_info(
            one, event_codes=(*one.infos[0].event_codes, ValuePair(value_name="OET:v1.2", value="x"))
        ),
        "alert/info",
    ),
    "parameter": (
        lambda one: with_info(one, parameters=(*colour("orange"), ValuePair(value_name="x", value="y"))),
        "alert/info/parameter",
    ),
    "a second signer": (
        lambda one: with_info(
            one,
            parameters=(
                *colour("orange"),
                *(ValuePair(value_name="12379:senderName", value=n) for n in "ab"),
            ),
        ),
        "alert/info/parameter",
    ),
    "VeryLikely of what is only possible": (
        lambda one: with_info(
            one,
            certainty="Possible",
            parameters=(*colour("orange"), ValuePair(value_name="12379:certainty", value="VeryLikely")),
        ),
        "alert/info/parameter",
    ),
    "type of a resource": (
        lambda one: with_info(one, resources=(Resource(resource_desc="a.pdf", mime_type="image/png"),)),
        "alert/info/resource",
    ),
    "address of a resource": (
        lambda one: with_info(
            one,
            resources=(
                Resource(resource_desc="a.png", mime_type="image/png", uri="https://x.example.org/a"),
            ),
        ),
        "alert/info/resource",
    ),
    "altitude": (lambda one: with_area(one, altitude=Decimal(5)), "alert/info/area"),
    "another code": (
        lambda one: with_area(one, geocodes=(ValuePair(value_name="SAME", value="006109"),)),
        "alert/info/area/geocode",
    ),
}


class TestWriting:
    @pytest.mark.parametrize("name", CANNOT)
    def test_what_decides_who_is_told_what_is_refused(self, ours, name):
        with pytest.raises(Refused) as refused:
            write_national(CANNOT[name](ours), HAZARDS)
        assert refused.value.code == "national_cannot_say"
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("name", LOST)
    def test_everything_else_that_cannot_be_said_is_listed(self, ours, name):
        change, path = LOST[name]
        changed = change(ours)
        assert [(one.code, one.path) for one in lost(changed, HAZARDS)] == [("national_lost", path)]
        assert read(write_national(changed, HAZARDS)).alert != changed

    def test_our_own_alert_comes_back(self, ours):
        assert lost(ours, HAZARDS) == []
        assert read(write_national(ours, HAZARDS)).alert == ours

    def test_the_namespace_can_be_chosen(self, ours):
        data = write_national(ours, HAZARDS, namespace=NAMESPACE)
        assert etree.fromstring(data).tag == f"{{{NAMESPACE}}}alert"
        assert read(data).alert == ours

    def test_times_are_of_beijing_with_a_space(self, ours):
        data = write_national(ours, HAZARDS)
        assert b"<sendTime>2026-07-01 08:00:00+08:00</sendTime>" in data

    def test_a_short_code_is_filled_up(self, ours):
        short = with_area(ours, geocodes=(ValuePair(value_name="GB/T 2260-2007", value="999900"),))
        assert area_of(write_national(short, HAZARDS)).geocodes == (
            ValuePair(value_name="GB/T 2260", value="999900000000"),
        )

    def test_a_bare_carriage_return_and_markup_survive(self, ours):
        odd = with_info(ours, description="a\r\nb\rc <b> & ]]>")
        assert read(write_national(odd, HAZARDS)).alert == odd

    def test_the_event_may_be_known_by_its_name_alone(self, ours):
        named = with_info(ours, event_codes=())
        assert b"<eventType>11B03</eventType>" in write_national(named, HAZARDS)

    def test_the_file_is_named_after_issuer_time_event_colour_and_type(self, ours):
        signed = datetime(2012, 10, 25, 1, 10, 26, tzinfo=UTC)
        blue = with_info(ours, parameters=colour("blue"), effective=signed)
        assert file_name(blue, HAZARDS) == "99990041600000_20121025091026_11B03_BLUE_ALERT.XML"
        assert len(file_name(blue, HAZARDS).removesuffix(".XML")) == 46
        assert file_name(with_info(ours, effective=None), HAZARDS).split("_")[1] == "20260701080000"


def update(ours, *identifiers, **more):
    references = tuple(
        Reference(sender=ISSUER, identifier=one, sent=datetime(2026, 6, 30 - number, tzinfo=BEIJING))
        for number, one in enumerate(identifiers)
    )
    return ours.model_copy(update={"msg_type": "Update", "references": references} | more)


def written_references(alert, **more):
    return read(write_national(alert, HAZARDS, **more)).alert.malformed_references


class TestTheFirstIssue:
    def test_the_only_message_referenced_is_it(self, ours):
        assert written_references(update(ours, "A_1")) == ("A_1",)

    def test_of_several_the_oldest_is_it_and_that_is_told(self, ours):
        alert = update(ours, "A_3", "A_2", "A_1")
        assert written_references(alert) == ("A_1",)
        assert [one.path for one in lost(alert, HAZARDS)] == ["alert/references"] * 3

    def test_it_can_be_named(self, ours):
        alert = update(ours, "A_3")
        assert written_references(alert, first_issue="A_1") == ("A_1",)
        assert len(lost(alert, HAZARDS, first_issue="A_1")) == 2

    def test_it_can_be_kept_on_the_message(self, ours):
        kept = (*colour("orange"), ValuePair(value_name="12379:firstIssue", value="A_1"))
        assert written_references(with_info(update(ours, "A_3"), parameters=kept)) == ("A_1",)

    def test_bare_references_stay_as_they_are(self, ours):
        alert = update(ours, malformed_references=("A_1",))
        assert read(write_national(alert, HAZARDS)).alert == alert
        assert lost(alert, HAZARDS) == []


def convert(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


class TestCommand:
    @pytest.fixture
    def national(self, tmp_path):
        path = tmp_path / "national.xml"
        path.write_bytes(message(references=""))
        return path

    @pytest.fixture
    def cap(self, tmp_path, ours):
        path = tmp_path / "cap.xml"
        path.write_bytes(write(with_info(ours, contact="x")))
        return path

    def test_to_cap(self, national):
        result = convert("--to", "cap", national)
        assert result.exit_code == 0
        assert parse(result.stdout_bytes).alert == read(national.read_bytes()).alert

    def test_to_a_file_and_what_is_lost_on_standard_error(self, cap, tmp_path):
        out = tmp_path / "out.xml"
        result = convert("--to", "national", "--out", out, cap)
        assert result.exit_code == 0
        assert result.stdout == ""
        assert result.stderr == "warning: alert/info: the national message cannot say: contact\n"
        assert read(out.read_bytes()).alert.identifier == "99990041600000_20260701080000_0"

    def test_longitude_first_and_the_first_issue(self, tmp_path, ours):
        path = tmp_path / "update.xml"
        path.write_bytes(write(update(ours, "A_3")))
        result = convert("--to", "national", "--lon-first", "--first-issue", "A_1", path)
        alert = read(result.stdout_bytes, lat_first=False).alert
        assert alert.malformed_references == ("A_1",)
        assert b"<polygon>110.0,30.0 " in result.stdout_bytes

    @pytest.mark.parametrize(
        ("target", "words"),
        [
            ("cap", "it is CAP 1.2 already; 'tongda alert check' reads it"),
            (
                "national",
                "it has no namespace of CAP: it is a national message already; --to cap makes CAP of it",
            ),
        ],
    )
    def test_what_is_in_the_format_already_is_said_in_one_line(self, national, cap, target, words):
        path = cap if target == "cap" else national
        result = convert("--to", target, path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.endswith(f"{path}: {words}\n")
        assert len(result.stderr.splitlines()) == 1

    @pytest.mark.parametrize("target", ["cap", "national"])
    @pytest.mark.parametrize("data", ["", "<alert", "<feed/>", '<alert xmlns="urn:x"/>'])
    def test_what_cannot_be_converted_is_one_line(self, tmp_path, target, data):
        path = tmp_path / "odd.xml"
        path.write_text(data, "utf-8")
        result = convert("--to", target, path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1

    def test_a_file_that_is_not_there_and_one_that_cannot_be_written(self, national, tmp_path):
        for arguments in ((tmp_path / "none",), (national, "--out", tmp_path / "none" / "x")):
            result = convert("--to", "cap", *arguments)
            assert result.exit_code == 2
            assert len(result.stderr.splitlines()) == 1

    def test_another_format_is_refused(self, national):
        assert convert("--to", "json", national).exit_code == 2


def test_the_page_names_every_parameter():
    page = Path(__file__).resolve().parents[2] / "docs" / "national.md"
    text = page.read_text("utf-8")
    names = (terms.CERTAINTY, terms.SIGNER, terms.PHONE, terms.FIRST_ISSUE, terms.METHOD, terms.DIVISIONS)
    parts = [f".{part}" for part in terms.METHOD_PARTS]
    missing = [name for name in (*names, *parts, terms.INNER_RESTRICTION) if name not in text]
    assert missing == []
