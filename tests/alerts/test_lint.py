"""Every rule of lint that the corpus does not show."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import pytest

from gateway.alerts.findings import CODES
from gateway.alerts.lint import Source, lint
from gateway.alerts.model import Area, Circle, Reference, Resource, ResponseType, Status, ValuePair

SQUARE = ((30.0, 110.0), (30.0, 111.0), (31.0, 111.0), (31.0, 110.0), (30.0, 110.0))
BOW_TIE = ((10.0, 20.0), (11.0, 21.0), (11.0, 20.0), (10.0, 21.0), (10.0, 20.0))
CURVE = (*((30 + n / 100, 110 + n * n / 1e5) for n in range(101)), (30.0, 110.0))


def codes(alert, **given):
    found = lint(alert, **given)
    assert all(one.severity == CODES[one.code].severity for one in found)
    return {one.code for one in found}


@pytest.fixture
def changed(alert):
    """The warning with other values in its first info block."""

    def change(**values):
        (info,) = alert.infos
        return alert.model_copy(update={"infos": (info.model_copy(update=values),)})

    return change


def test_a_careful_message_has_no_findings(alert, now, hazards):
    assert lint(alert, now=now, hazards=hazards) == []


class TestIdentity:
    @pytest.mark.parametrize("identifier", ["2.49.0.0.156.0.X", "urn:oid:2.49.0.0.156.0.X"])
    def test_an_identifier_in_the_arc_of_authorities(self, alert, identifier):
        assert codes(alert.model_copy(update={"identifier": identifier})) == {"identifier_authority_arc"}

    def test_an_identifier_in_the_arc_of_alerts_is_fine(self, alert):
        assert codes(alert.model_copy(update={"identifier": "urn:oid:2.49.0.1.156.0.X"})) == set()

    @pytest.mark.parametrize(
        "identifier",
        [
            *(
                "9999004160000_20260701080000_0",
                "99990041600000_20260701_0",
                "99990041600000_20260701080000_10",
            ),
            *("99990041600000_20260732080000_0", "999900416000001_20260701080000_0", "99990041600000_2026_x"),
        ],
    )
    def test_an_identifier_that_resembles_the_national_form(self, alert, identifier):
        assert codes(alert.model_copy(update={"identifier": identifier})) == {"identifier_not_national"}

    @pytest.mark.parametrize("identifier", ["99990041600000_20260701080000_9", "NWS_2026_1", "urn:x:1"])
    def test_other_identifiers_are_let_be(self, alert, identifier):
        assert codes(alert.model_copy(update={"identifier": identifier})) == set()

    def test_a_sender_that_could_be_anybody(self, alert):
        assert codes(alert.model_copy(update={"sender": "MetOffice"})) == {"sender_not_unique"}


class TestScopeAndStatus:
    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"scope": "Private"}, "private_without_addresses"),
            ({"scope": "Restricted"}, "restricted_without_restriction"),
            ({"restriction": "police"}, "restriction_without_restricted"),
            ({"msg_type": "Error"}, "error_without_note"),
            ({"msg_type": "Ack"}, "references_missing"),
            ({"msg_type": "Cancel"}, "cancel_without_references"),
            ({"msg_type": "Update"}, "update_without_references"),
            ({"status": "Exercise"}, "exercise_without_note"),
            ({"status": "Draft"}, "not_actual"),
            ({"infos": ()}, "no_info"),
        ],
    )
    def test_each_lack_has_its_code(self, alert, values, code):
        assert code in codes(type(alert).model_validate({**alert.model_dump(), **values}))

    def test_a_heartbeat_may_name_anything_and_have_no_info(self, alert):
        other = Reference(sender="x@example.org", identifier="1", sent="2026-07-01T07:00:00+08:00")
        beat = {**alert.model_dump(), "status": "System", "infos": (), "references": (other,)}
        assert codes(type(alert).model_validate(beat)) == {"not_actual"}


class TestReferences:
    def update(self, alert, *references, kind="Update"):
        return type(alert).model_validate({**alert.model_dump(), "msg_type": kind, "references": references})

    def test_own_earlier_alerts_are_fine(self, alert):
        mine = Reference(sender=alert.sender, identifier="1", sent="2026-07-01T07:00:00+08:00")
        assert codes(self.update(alert, mine)) == set()

    def test_a_later_alert_cannot_be_meant(self, alert):
        later = Reference(sender=alert.sender, identifier="1", sent="2026-07-01T09:00:00+08:00")
        assert codes(self.update(alert, later)) == {"references_later"}

    def test_the_same_instant_in_another_form_is_still_itself(self, alert):
        same = Reference(sender=alert.sender, identifier=alert.identifier, sent="2026-07-01T00:00:00Z")
        assert codes(self.update(alert, same)) == {"references_self"}

    def test_another_senders_alert_takes_a_delegation(self, alert):
        other = Reference(sender="x@example.org", identifier="1", sent="2026-07-01T07:00:00+08:00")
        cancel = self.update(alert, other, kind="Cancel")
        assert codes(cancel) == {"references_other_sender"}
        assert codes(cancel, source=Source(may_supersede=frozenset({"x@example.org"}))) == set()

    def test_an_alert_that_names_others_may_be_an_update(self, alert):
        mine = Reference(sender=alert.sender, identifier="1", sent="2026-07-01T07:00:00+08:00")
        assert codes(self.update(alert, mine, kind="Alert")) == {"references_without_supersede"}


class TestBlocks:
    def test_blocks_of_one_language_speak_of_one_event(self, alert, info):
        other = info.model_copy(update={"event": "台风", "categories": ("Geo",)})
        assert codes(alert.model_copy(update={"infos": (info, other)})) == {
            "event_differs",
            "category_differs",
        }

    def test_blocks_of_two_languages_may_name_it_differently(self, alert, info):
        other = info.model_copy(update={"event": "Rainstorm", "language": "en-US"})
        assert codes(alert.model_copy(update={"infos": (info, other)})) == set()

    def test_event_codes_should_match(self, alert, info):
        other = info.model_copy(update={"event_codes": (ValuePair(value_name="a", value="b"),)})
        assert codes(alert.model_copy(update={"infos": (info, other)})) == {"event_code_differs"}

    def test_a_later_block_may_not_override_an_earlier_one(self, alert, info):
        other = type(info).model_validate({**info.model_dump(), "severity": "Minor"})
        assert codes(alert.model_copy(update={"infos": (info, other)})) == {"block_overrides"}

    def test_a_later_block_may_speak_of_another_place_or_in_another_language(self, alert, info, area):
        minor = type(info).model_validate({**info.model_dump(), "severity": "Minor"})
        elsewhere = minor.model_copy(update={"areas": (area.model_copy(update={"area_desc": "x"}),)})
        english = minor.model_copy(update={"language": "en-US"})
        assert codes(alert.model_copy(update={"infos": (info, elsewhere, english)})) == set()

    @pytest.mark.parametrize(
        ("kind", "urgency", "found"),
        [
            ("Alert", "Past", {"all_clear_odd"}),
            ("Update", "Immediate", {"all_clear_odd"}),
            ("Update", "Past", set()),
            ("Cancel", "Immediate", set()),
        ],
    )
    def test_all_clear_has_its_place(self, alert, info, kind, urgency, found):
        clear = {**info.model_dump(), "response_types": ("AllClear",), "urgency": urgency}
        mine = Reference(sender=alert.sender, identifier="1", sent="2026-07-01T07:00:00+08:00")
        values = {"msg_type": kind, "references": () if kind == "Alert" else (mine,), "infos": (clear,)}
        assert codes(type(alert).model_validate({**alert.model_dump(), **values})) == found

    def test_the_list_of_an_event_code_is_not_the_event(self, changed):
        codes_of_event = (ValuePair(value_name="暴雨", value="11B03"),)
        assert codes(changed(event_codes=codes_of_event)) == {"event_code_named_as_event"}

    def test_assess_is_not_for_the_public(self, changed):
        assert codes(changed(response_types=(ResponseType.ASSESS,))) == {"assess_in_public"}


class TestValidity:
    def test_each_block_is_looked_at(self, alert, info, now):
        over = info.model_copy(update={"expires": now - timedelta(minutes=1)})
        found = lint(alert.model_copy(update={"infos": (info, over)}), now=now)
        assert ("expired", "alert/info[2]/expires") in {(one.code, one.path) for one in found}
        assert "alert/info[1]/expires" not in {one.path for one in found}

    def test_without_the_present_nothing_is_late(self, changed, now):
        assert codes(changed(expires=now)) == set()

    def test_it_expires_at_the_very_instant(self, changed, now):
        assert codes(changed(expires=now), now=now) == {"expired"}

    def test_onset_after_expires_is_legal(self, changed, now):
        assert codes(changed(onset=now + timedelta(days=1)), now=now) == set()

    @pytest.mark.parametrize(
        ("ahead", "found"),
        [
            (timedelta(minutes=1), set()),
            (timedelta(minutes=10), {"sent_in_future"}),
            (
                timedelta(hours=2),
                {"sent_far_in_future", "expires_before_effective"} - {"expires_before_effective"},
            ),
        ],
    )
    def test_a_little_skew_is_tolerated(self, alert, now, ahead, found):
        assert codes(alert.model_copy(update={"sent": now + ahead}), now=now) == found

    def test_an_end_far_ahead(self, changed, now):
        assert codes(changed(expires=now + timedelta(days=40)), now=now) == {"expires_far"}

    def test_no_expires_and_old(self, changed, now):
        assert codes(changed(expires=None), now=now) == {"expires_missing"}
        late = now + timedelta(days=2)
        assert codes(changed(expires=None), now=late) == {"expires_missing", "too_old"}
        assert "too_old" not in codes(
            changed(expires=None), now=late, source=Source(max_age=timedelta(days=3))
        )

    def test_sent_before_cap_existed(self, alert):
        old = alert.model_copy(update={"sent": alert.sent.replace(year=1970)})
        assert codes(old) == {"sent_implausible"}


class TestTexts:
    """S10: what the approver is told about a text."""

    @pytest.mark.parametrize(
        ("field", "text", "code"),
        [
            ("headline", "a" * 161, "headline_long"),
            ("headline", "未来三小时降雨量将达50毫米以上。", "description_repeats_headline"),
            ("instruction", "未来三小时降雨量将达50毫米以上。", "instruction_repeats_description"),
            ("description", "a" * 8001, "text_very_long"),
            ("headline", "a\nBcc: x", "line_break_in_line"),
            ("headline", "a\u2028b", "line_break_in_line"),
            ("description", "a\u009bb", "control_character"),
            ("description", "a\u202eb", "bidi_control"),
            ("description", "a\u200eb", "bidi_control"),
            ("description", "暴\u200b雨", "zero_width"),
            ("description", "a\ufeffb", "zero_width"),
            ("description", "a\u180eb", "zero_width"),
            ("description", "a\U000e0041b", "zero_width"),
            ("description", "a\ufffcb", "zero_width"),
            ("description", "a" + "\u0301" * 5, "marks_piled"),
            ("description", "见 https://wаrn.example.org/1 。", "uri_lookalike"),
            ("web", "https://wаrn.example.org/1", "uri_lookalike"),
            ("web", "https://xn--wrn-5cd.example.org/1", "uri_lookalike"),
            ("web", "https://xn--\u00df.example.org/1", "uri_lookalike"),
            ("web", "https://warn.example.org@elsewhere.example.net/1", "uri_lookalike"),
            ("description", "<b>a</b>", "html_in_text"),
            ("description", "a &amp; b", "html_in_text"),
            ("contact", None, "contact_missing"),
            ("web", "/relative", "uri_not_absolute"),
            ("web", "ftp://example.org/x", "uri_not_absolute"),
            ("web", "https://localhost/x", "uri_internal"),
            ("language", "zho-CN", "language_odd"),
            ("language", "eng", "language_odd"),
            ("language", "en-UK", "language_odd"),
            ("language", "zh-cn", "language_case"),
            ("language", None, "language_default"),
        ],
    )
    def test_each_fault_has_its_code(self, changed, field, text, code):
        assert codes(changed(**{field: text})) == {code}

    @pytest.mark.parametrize(
        "text",
        [
            *("5 < 6 > 4", "R&D", "line\nbreak", "می\u200cخواهم", "क्\u200dष", "\u200eשלום", "မြန်\u200bမာ"),
            *("👩\u200d🚒", "a & b; c", "Tiếng Việt", "见 https://预警.example.org/1 。"),
            *(
                "详见https://www.example.org，请转告",
                "（http://www.example.org）",
                "“https://www.example.org”、电话",
            ),
            *(
                "网址：https://www.example.org/a；",
                "见https://www.example.org：8080",
                "https://www.example.org！",
            ),
        ],
    )
    def test_what_writing_needs_is_left_alone(self, changed, text):
        assert codes(changed(description=text)) == set()

    def test_a_parameter_without_a_name(self, changed):
        assert codes(changed(parameters=(ValuePair(value_name="", value="x"),))) == {"value_name_empty"}

    def test_unknown_is_discouraged(self, alert, info):
        vague = type(info).model_validate({**info.model_dump(), "urgency": "Unknown"})
        assert codes(alert.model_copy(update={"infos": (vague,)})) == {"unknown_value"}


class TestDrills:
    @pytest.mark.parametrize(
        ("field", "text"),
        [
            ("headline", "虚构县发布暴雨橙色预警（测试）"),
            ("headline", "【演练】暴雨橙色预警"),
            ("event", "Required Monthly Test"),
            ("headline", "EXERCISE: flood"),
            ("headline", "Simulacro de inundación"),
            ("description", "This is only a test. No action is needed."),
            ("description", "本次为应急演练,请勿惊慌。"),
            ("instruction", "This is not an actual emergency."),
            ("description", "This is a routine drill."),
            ("description", "This  is\n\tONLY a\u3000TEST"),
            ("headline", "Übung"),
        ],
    )
    def test_a_test_must_not_look_actual(self, changed, field, text):
        assert codes(changed(**{field: text})) == {"test_words_in_actual"}

    @pytest.mark.parametrize(
        ("field", "text"),
        [
            ("description", "Motorists should exercise caution."),
            ("headline", "Exercise extreme caution on the roads"),
            ("description", "Tested water is safe; the contest is off; the latest figures"),
            ("headline", "This is not a drill: take shelter"),
            ("description", "This is NOT  part of\na drill: take shelter"),
            ("headline", "No test: take shelter"),
            ("headline", "暴雨红色预警，这不是演习"),
            ("description", "请加强监测"),
        ],
    )
    def test_a_real_warning_may_say_so(self, changed, field, text):
        assert codes(changed(**{field: text})) == set()

    def test_a_drill_should_show_that_it_is_one(self, changed):
        silent = changed().model_copy(update={"status": Status.EXERCISE, "note": "虚构演练 2026-1"})
        assert codes(silent) == {"not_actual", "drill_unmarked"}
        marked = changed(headline="【演练】暴雨橙色预警").model_copy(
            update={"status": Status.EXERCISE, "note": "x"}
        )
        assert codes(marked) == {"not_actual"}

    def test_a_drill_must_not_claim_to_be_real(self, changed):
        hawaii = changed(headline="EXERCISE EXERCISE", description="This is not a drill.")
        assert "actual_words_in_test" in codes(
            hawaii.model_copy(update={"status": Status.EXERCISE, "note": "x"})
        )


class TestAreas:
    def area(self, **values):
        return Area(**{"area_desc": "虚构县", "polygons": (SQUARE,), **values})

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"polygons": (SQUARE[:-1],)}, "polygon_unclosed"),
            ({"polygons": (SQUARE[:3],)}, "polygon_too_few_points"),
            ({"polygons": (tuple((lon, lat) for lat, lon in SQUARE),)}, "coordinates_swapped"),
            ({"polygons": (((1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (1.0, 1.0)),)}, "polygon_no_area"),
            ({"polygons": (BOW_TIE,)}, "polygon_self_crossing"),
            ({"polygons": (((0.0, 0.0), (0.0, 95.0), (9.0, 95.0), (0.0, 0.0)),)}, "polygon_very_wide"),
            ({"polygons": (CURVE,)}, "polygon_many_points"),
            ({"circles": (Circle(lat=30, lon=110, radius_km=0),)}, "circle_radius_zero"),
            ({"circles": (Circle(lat=30, lon=110, radius_km=1001),)}, "circle_very_large"),
            ({"unusable_circles": ("30,110 5km",)}, "circle_malformed"),
            ({"polygons": ()}, "area_text_only"),
            ({"area_desc": ""}, "area_desc_empty"),
            ({"ceiling": 5}, "ceiling_without_altitude"),
            ({"ceiling": 5, "altitude": 5}, "ceiling_below_altitude"),
            ({"geocodes": (ValuePair(value_name="", value="1"),)}, "geocode_name_empty"),
            ({"geocodes": (ValuePair(value_name="a", value=""),)}, "geocode_value_empty"),
            ({"geocodes": (ValuePair(value_name="a", value="1，2"),)}, "geocode_list_in_value"),
            (
                {"geocodes": (ValuePair(value_name="EXCLUDE_POLYGON", value="1,2 3,4"),)},
                "geocode_exclude_polygon",
            ),
        ],
    )
    def test_each_fault_has_its_code(self, changed, values, code):
        assert codes(changed(areas=(self.area(**values),))) == {code}

    def test_codes_alone_are_not_located(self, changed):
        coded = self.area(polygons=(), geocodes=(ValuePair(value_name="GB/T 2260", value="999900"),))
        assert codes(changed(areas=(coded,))) == {"area_code_only"}

    def test_a_source_has_its_region(self, changed):
        near = Source(bounds=(25, 105, 35, 115))
        assert codes(changed(), source=near) == set()
        assert codes(changed(), source=Source(bounds=(40, 120, 45, 125))) == {"area_outside_source"}

    def test_swapped_coordinates_are_seen_where_both_could_be(self, changed):
        swapped = tuple((lon, lat) for lat, lon in ((40.0, 75.0), (40.0, 76.0), (41.0, 76.0), (40.0, 75.0)))
        kashgar = Source(bounds=(35, 70, 45, 80))
        assert codes(changed(areas=(self.area(polygons=(swapped,)),)), source=kashgar) == {
            "coordinates_swapped"
        }


class TestResources:
    CONTENT = base64.b64encode(b"hello").decode()

    def resource(self, **values):
        return Resource(**{"resource_desc": "map", "mime_type": "image/png", **values})

    @pytest.mark.parametrize(
        ("values", "found"),
        [
            ({}, {"resource_without_content"}),
            ({"uri": "https://warn.example.org/map.png"}, set()),
            ({"uri": "file:///etc/hostname"}, {"uri_internal"}),
            ({"uri": "map.png"}, {"uri_not_absolute"}),
            ({"uri": "map.png", "deref_uri": CONTENT}, {"deref_uri_heavy"}),
            ({"deref_uri": CONTENT, "size": 5}, {"deref_uri_heavy"}),
            ({"deref_uri": CONTENT, "size": 6}, {"deref_uri_heavy", "resource_size_differs"}),
            (
                {"deref_uri": CONTENT, "digest": hashlib.sha1(b"hello").hexdigest().upper()},
                {"deref_uri_heavy"},
            ),
            ({"deref_uri": CONTENT, "digest": "0" * 40}, {"deref_uri_heavy", "resource_digest_mismatch"}),
            ({"deref_uri": CONTENT, "digest": "00"}, {"deref_uri_heavy", "digest_malformed"}),
            ({"uri": "https://warn.example.org/a", "digest": "z" * 40}, {"digest_malformed"}),
            ({"uri": "https://warn.example.org/a", "size": -5}, {"size_negative"}),
            ({"uri": "https://warn.example.org/a", "mime_type": "picture"}, {"mime_type_malformed"}),
            ({"uri": "https://warn.example.org/a", "mime_type": ""}, {"mime_type_malformed"}),
            ({"uri": "https://warn.example.org/a", "mime_type": "text/plain; charset=utf-8"}, set()),
            ({"uri": "https://warn.example.org/a", "mime_type": "application/cap+xml"}, set()),
            ({"deref_uri": "!"}, {"resource_bad_base64"}),
        ],
    )
    def test_each_fault_has_its_code(self, changed, values, found):
        assert codes(changed(resources=(self.resource(**values),))) == found

    @pytest.mark.parametrize(
        "host",
        [
            *(
                "127.0.0.1",
                "10.1.2.3",
                "192.168.1.1",
                "169.254.169.254",
                "[::1]",
                "[fe80::1]",
                "2130706433",
                "0x7f000001",
            ),
            *("localhost", "a.localhost", "printer", "db.internal", "x.local", "LOCALHOST.", "0.0.0.0"),
        ],
    )
    def test_links_into_private_places_are_named(self, changed, host):
        assert codes(changed(web=f"http://user@{host}:80/x")) == {"uri_internal"}

    @pytest.mark.parametrize(
        "uri", ["http://[", "http://", "javascript:alert(1)", "https:///x", "//warn.example.org/x"]
    )
    def test_what_is_no_web_address_is_named(self, changed, uri):
        assert codes(changed(web=uri)) == {"uri_not_absolute"}


class TestLevels:
    def test_a_colour_that_contradicts_severity(self, changed, hazards):
        red = changed(parameters=(ValuePair(value_name=hazards.colour_parameter, value="red"),))
        assert codes(red, hazards=hazards) == {"colour_severity_differ"}

    def test_a_colour_that_the_hazard_does_not_have(self, alert, info, hazards):
        blue = {"event": "高温", "severity": "Minor"}
        parameters = (ValuePair(value_name=hazards.colour_parameter, value="蓝色"),)
        heat = type(info).model_validate({**info.model_dump(), **blue, "parameters": parameters})
        assert codes(alert.model_copy(update={"infos": (heat,)}), hazards=hazards) == {"colour_not_allowed"}

    def test_a_colour_that_nobody_knows(self, changed, hazards):
        pink = changed(parameters=(ValuePair(value_name=hazards.colour_parameter, value="pink"),))
        assert codes(pink, hazards=hazards) == {"colour_unknown"}

    def test_green_means_that_no_warning_is_in_force(self, changed):
        green = changed(parameters=(ValuePair(value_name="awareness_level", value="1; green; Minor"),))
        assert codes(green) == {"awareness_green"}
