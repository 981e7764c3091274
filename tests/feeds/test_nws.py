"""The US National Weather Service: GeoJSON of its alerts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from gateway.alerts.model import MsgType, Status
from gateway.feeds.adapters.nws import ADAPTER, read_vtec
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from tests.feeds.contract import AdapterContract, assert_holds

NOW = datetime(2026, 7, 15, 21, 0, tzinfo=UTC)
_FROM_NOW = re.compile(rb'"date:now ([+-]?\d+) seconds"')
_FROM_TODAY = re.compile(rb'"date:today (\d\d):(\d\d):-06 \+(\d+) days"')
SQUARE = [[-101.0, 40.0], [-100.0, 40.0], [-100.0, 41.0], [-101.0, 40.0]]


def dated(data):
    """The file with times instead of the words that stand for them."""

    def now(match):
        return f'"{(NOW + timedelta(seconds=int(match[1]))).isoformat()}"'.encode()

    def today(match):
        day = NOW.replace(hour=0) + timedelta(days=int(match[3]))
        return f'"{day:%Y-%m-%d}T{match[1].decode()}:{match[2].decode()}:00-06:00"'.encode()

    return _FROM_TODAY.sub(today, _FROM_NOW.sub(now, data))


def feature(geometry=None, **changes):
    about = {
        "@type": "wx:Alert",
        "id": "urn:oid:2.49.0.1.840.0.invented.001.1",
        "areaDesc": "Invented County",
        "geocode": {"SAME": ["099999"], "UGC": ["XXZ001", "XXC001"]},
        "references": [],
        "sent": "2026-07-15T14:00:00-06:00",
        "effective": "2026-07-15T14:00:00-06:00",
        "onset": "2026-07-15T15:00:00-06:00",
        "expires": "2026-07-15T18:00:00-06:00",
        "ends": "2026-07-15T22:00:00-06:00",
        "status": "Actual",
        "messageType": "Alert",
        "category": "Met",
        "severity": "Severe",
        "certainty": "Likely",
        "urgency": "Expected",
        "event": "Flood Watch",
        "sender": "invented@example.org",
        "response": "Prepare",
        "scope": "Public",
        "language": "en-US",
        "parameters": {"VTEC": ["/O.NEW.KXXX.FA.A.0002.260715T2100Z-260716T0400Z/"]},
    }
    return {"id": "https://api.weather.gov/alerts/invented", "type": "Feature", "geometry": geometry} | {
        "properties": about | changes
    }


def collection(*features, **more):
    head = {"@context": {"@version": "1.1"}, "type": "FeatureCollection", "features": list(features)}
    return json.dumps(head | more).encode()


def reading(*features, **more):
    found = ADAPTER.read(Document(collection(*features, **more)))
    assert_holds(found)
    return found


def item(geometry=None, **changes):
    (one,) = reading(feature(geometry, **changes)).items
    return one


def codes(one):
    return [finding.code for finding in one.findings]


def vtec(*actions, k="O"):
    return {"VTEC": [f"/{k}.{action}.KXXX.FA.A.0002.000000T0000Z-260716T0400Z/" for action in actions]}


def parameters(one):
    return [(pair.value_name, pair.value) for pair in one.alert.infos[0].parameters]


class TestNws(AdapterContract):
    KIND = "nws"
    GOOD = (
        "nws_json/active_8_features.json",
        "nws_json/active_ends_null.json",
        "nws_json/active_guam_upg_note.json",
        "nws_json/active_multi_vtec.json",
        "nws_json/active_no_vtec.json",
        "nws_json/active_polygon_new_ext.json",
        "nws_json/active_vtec_can_exa_exb.json",
        "nws_json/active_zone_only_update.json",
        "nws_json/empty_active.json",
        "nws_json/synthetic_alert_by_id_replacedBy.json",
        "nws_json/synthetic_cancel.json",
    )
    EXPECTED: ClassVar = {
        "nws_json/active_vtec_can_exa_exb.json": [
            *({"msgType": "Update", "event": event} for event in ("Flood Watch", "Dense Smoke Advisory") * 2),
            {"msgType": "Update", "event": "Flood Watch"},
            {"msgType": "Cancel", "event": "Heat Advisory"},
            {"msgType": "Cancel", "event": "Extreme Heat Warning"},
            {"msgType": "Update", "event": "Heat Advisory"},
        ],
        "nws_json/active_polygon_new_ext.json": [
            *({"msgType": "Alert", "polygons": 1, "findings": []},) * 3,
            *({"msgType": "Update", "polygons": 1, "findings": []},) * 3,
        ],
        "nws_json/active_zone_only_update.json": [
            {"msgType": "Update", "polygons": 0, "findings": ["ends_after_expires", "area_codes_only"]},
            {"msgType": "Update", "findings": ["ends_after_expires", "area_codes_only"]},
            {"msgType": "Update", "findings": ["area_codes_only"]},
            {"msgType": "Update", "findings": ["ends_after_expires", "area_codes_only"]},
        ],
        "nws_json/synthetic_alert_by_id_replacedBy.json": [
            {"msgType": "Update", "in_force": False, "expires": "2026-07-16T01:24:36+00:00"}
        ],
        "nws_json/synthetic_cancel.json": [{"msgType": "Cancel", "severity": "Severe", "in_force": True}],
        "nws_json/empty_active.json": [],
    }

    @pytest.fixture
    def samples(self, corpus):
        return {name: dated((corpus / name).read_bytes()) for name in self.GOOD}

    def test_times_in_words_are_findings_and_nothing_else(self, corpus):
        read = self.read((corpus / "nws_json/active_8_features.json").read_bytes())
        assert not read.items
        assert [one.code for one in read.findings] == ["item_malformed"] * 8
        assert read.listed is None

    def test_an_alert_without_sent_is_a_finding(self, corpus):
        read = self.read((corpus / "nws_json/status_test_tsunami.json").read_bytes())
        assert not read.items
        assert [one.path for one in read.findings] == ["features[1]", "features[2]"]

    def test_every_entry_of_the_real_files_is_read(self, samples):
        found = [self.read(data) for data in samples.values()]
        assert sum(len(one.items) for one in found) == 45
        assert not [one for read in found for one in read.findings]

    def test_segments_of_one_product_have_one_event_and_one_time(self, samples):
        first = self.read(samples["nws_json/active_vtec_can_exa_exb.json"]).items[0]
        second = self.read(samples["nws_json/active_zone_only_update.json"]).items[2]
        assert first.event_key == second.event_key == "KBYZ.FA.A.0002.2026"
        assert first.alert.sent == second.alert.sent
        assert first.alert.key != second.alert.key

    def test_references_name_what_is_replaced(self, samples):
        alert = self.read(samples["nws_json/active_zone_only_update.json"]).items[2].alert
        assert len(alert.references) >= 5
        assert {one.sender for one in alert.references} == {"w-nws.webmaster@noaa.gov"}


class TestWhatTheEmptyListMeans:
    def test_it_is_a_sign_of_life_and_the_whole_set(self):
        found = reading(updated="2026-07-15T21:00:00+00:00")
        assert found.heartbeat
        assert found.listed == frozenset()
        assert found.generated == NOW

    def test_a_further_page_means_that_absence_says_nothing(self):
        assert (
            reading(feature(), pagination={"next": "https://api.weather.gov/alerts?cursor=x"}).listed is None
        )

    def test_an_entry_that_cannot_be_read_means_that_absence_says_nothing(self):
        found = reading(feature(), feature(sent="yesterday"))
        assert len(found.items) == 1
        assert found.listed is None

    def test_it_lists_what_is_in_force_by_key(self):
        assert reading(feature()).listed == {
            "invented@example.org,urn:oid:2.49.0.1.840.0.invented.001.1,2026-07-15T14:00:00-06:00"
        }


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b'{"type":"about:blank","title":"Forbidden","status":403,"detail":"x"}', "error_page"),
            (b"<html><body>403</body></html>", "error_page"),
            (b"<?xml version='1.0'?><error/>", "error_page"),
            (b'{"type":"FeatureCollection","features":{}}', "feed_malformed"),
            (b'{"type":"FeatureCollection","features":[]}', "feed_malformed"),
            (b'{"@context":[],"type":"FeatureCollection"}', "feed_malformed"),
            (b'{"type":"FeatureCollection","fea', "json_malformed"),
        ],
    )
    def test_what_is_no_feed_is_refused(self, body, code):
        with pytest.raises(FeedRefused) as refused:
            ADAPTER.read(Document(body))
        assert refused.value.code == code

    @pytest.mark.parametrize("name", ["id", "sender", "sent", "status", "messageType", "event"])
    @pytest.mark.parametrize("value", [None, "", [], {"a": 1}, "\x01", True])
    def test_an_entry_without_what_decides_is_a_finding(self, name, value):
        found = reading(feature(**{name: value}), feature())
        assert len(found.items) == 1
        assert [(one.code, one.path) for one in found.findings] == [("item_malformed", "features[1]")]

    @pytest.mark.parametrize("entry", [None, 7, "x", [], {}, {"properties": 3}, {"properties": None}])
    def test_an_entry_of_another_shape_is_a_finding(self, entry):
        found = reading(entry, feature())
        assert len(found.items) == 1
        assert [one.code for one in found.findings] == ["item_malformed"]

    def test_no_more_findings_than_people_can_look_at(self):
        found = reading(*[{}] * 500)
        assert len(found.findings) == 21
        assert found.findings[-1].message == "480 more of this kind"

    def test_an_entry_larger_than_a_message_may_be_is_a_finding(self):
        found = reading(feature(description="x" * 1_100_000), feature())
        assert len(found.items) == 1


class TestVtec:
    @pytest.mark.parametrize(
        ("said", "actions", "expected"),
        [
            ("Alert", ["NEW"], MsgType.ALERT),
            ("Alert", ["ROU"], MsgType.ALERT),
            ("Update", ["NEW"], MsgType.UPDATE),
            *(("Alert", [action], MsgType.UPDATE) for action in ("CON", "EXT", "EXA", "EXB", "COR")),
            *(("Alert", [action], MsgType.CANCEL) for action in ("CAN", "EXP", "UPG")),
            *(("Update", [action], MsgType.CANCEL) for action in ("CAN", "EXP", "UPG")),
            ("Alert", ["UPG", "NEW"], MsgType.ALERT),
            ("Alert", ["CAN", "CON"], MsgType.UPDATE),
            ("Cancel", ["CON"], MsgType.CANCEL),
            ("Cancel", [], MsgType.CANCEL),
            ("Alert", [], MsgType.ALERT),
        ],
    )
    def test_its_action_overrules_the_message_type(self, said, actions, expected):
        one = item(messageType=said, parameters=vtec(*actions))
        assert one.alert.msg_type == expected
        assert ("message_type_overruled" in codes(one)) == (said != expected)

    @pytest.mark.parametrize("k", ["T", "E", "X"])
    def test_what_is_not_operational_is_a_test(self, k):
        assert item(parameters=vtec("NEW", k=k)).alert.status == Status.TEST

    def test_a_test_stays_one(self):
        assert item(status="Test").alert.status == Status.TEST

    @pytest.mark.parametrize(
        ("strings", "expected"),
        [
            ([], ""),
            (["nonsense"], ""),
            (["/00000.0.ER.000000T0000Z.000000T0000Z.000000T0000Z.OO/"], ""),
            (["/O.NEW.KXXX.FA.A.0002.251231T2100Z-260716T0400Z/"], "KXXX.FA.A.0002.2025"),
            (["/O.CON.KXXX.FA.A.0002.000000T0000Z-000000T0000Z/"], "KXXX.FA.A.0002.2026"),
            (
                [
                    "/O.UPG.KXXX.WS.A.0003.260715T2100Z-260716T0400Z/",
                    "/O.NEW.KXXX.WS.W.0009.260715T2100Z-260716T0400Z/",
                ],
                "KXXX.WS.W.0009.2026",
            ),
        ],
    )
    def test_it_names_the_event(self, strings, expected):
        assert item(parameters={"VTEC": strings}).event_key == expected

    def test_a_flood_string_is_none(self):
        assert read_vtec("/00000.0.ER.000000T0000Z.000000T0000Z.000000T0000Z.OO/") is None


class TestValidity:
    @pytest.mark.parametrize(
        ("expires", "ends", "holds", "noted"),
        [
            ("2026-07-15T18:00:00Z", "2026-07-15T22:00:00Z", 22, True),
            ("2026-07-15T18:00:00Z", None, 18, False),
            ("2026-07-15T18:00:00Z", "soon", 18, False),
            ("2026-07-15T22:00:00Z", "2026-07-15T18:00:00Z", 18, False),
            (None, "2026-07-15T18:00:00Z", 18, False),
        ],
    )
    def test_a_warning_holds_until_its_event_ends(self, expires, ends, holds, noted):
        one = item(expires=expires, ends=ends)
        assert one.alert.infos[0].expires == NOW.replace(hour=holds)
        assert ("ends_after_expires" in codes(one)) == noted

    def test_the_messages_own_end_is_kept(self):
        assert ("nws:expires", "2026-07-15T18:00:00-06:00") in parameters(item())

    def test_a_cancel_does_not_hold_until_the_event_would_have_ended(self):
        one = item(messageType="Cancel")
        assert one.alert.infos[0].expires == datetime(2026, 7, 16, tzinfo=UTC)

    @pytest.mark.parametrize("name", ["effective", "onset", "expires", "ends"])
    def test_a_broken_time_is_left_out(self, name):
        assert "value_dropped" in codes(item(**{name: "date:now -235 seconds"}))

    def test_a_replaced_alert_is_not_in_force_and_means_the_same(self):
        before = item()
        after = item(replacedBy="https://api.weather.gov/alerts/other", replacedAt="2026-07-15T20:00:00Z")
        assert (before.in_force, after.in_force) == (True, False)
        assert before.alert == after.alert
        assert before.original != after.original
        assert "not_in_force" in codes(after)


class TestWhatIsKept:
    def test_all_parameters(self):
        kept = {
            "VTEC": ["x"],
            "BLOCKCHANNEL": ["EAS", "NWEM"],
            "CMAMtext": ["Act now"],
            "WEAHandling": ["Imminent"],
        }
        assert parameters(item(parameters=kept))[:5] == [
            ("VTEC", "x"),
            ("BLOCKCHANNEL", "EAS"),
            ("BLOCKCHANNEL", "NWEM"),
            ("CMAMtext", "Act now"),
            ("WEAHandling", "Imminent"),
        ]

    def test_zones_by_the_kind_of_zone(self):
        zones = ["https://api.weather.gov/zones/fire/XXZ001"]
        assert ("nws:affectedZones", zones[0]) in parameters(item(affectedZones=zones))

    def test_codes_of_the_area(self):
        area = item().alert.infos[0].areas[0]
        assert [(pair.value_name, pair.value) for pair in area.geocodes] == [
            ("SAME", "099999"),
            ("UGC", "XXZ001"),
            ("UGC", "XXC001"),
        ]

    def test_expired_references_of_the_parameters(self):
        text = "a@x.org,urn:1,2026-07-14T00:00:00-06:00 b@x.org,urn:2,2026-07-14T01:00:00-06:00 nonsense"
        alert = item(parameters={"expiredReferences": [text]}).alert
        assert [one.identifier for one in alert.references] == ["urn:1", "urn:2"]
        assert alert.malformed_references == ("nonsense",)

    @pytest.mark.parametrize("broken", [None, 3, {}, {"identifier": "a b", "sender": "x", "sent": "x"}])
    def test_a_reference_that_cannot_be_read_is_left_out(self, broken):
        one = item(references=[broken])
        assert not one.alert.references
        assert "value_dropped" in codes(one)

    def test_the_entry_as_it_came_with_its_keys_in_order(self):
        entry = feature()
        assert json.loads(item().original) == entry
        assert item().original == json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()


class TestValuesThatCapDoesNotHave:
    @pytest.mark.parametrize("name", ["urgency", "severity", "certainty"])
    @pytest.mark.parametrize(("value", "code"), [("Dire", "value_dropped"), (None, "value_assumed")])
    def test_levels_become_unknown(self, name, value, code):
        one = item(**{name: value})
        assert getattr(one.alert.infos[0], name) == "Unknown"
        assert code in codes(one)

    @pytest.mark.parametrize(("value", "kept"), [("AllClear", ("AllClear",)), ("Panic", ()), (None, ())])
    def test_unknown_responses_are_left_out(self, value, kept):
        assert item(response=value).alert.infos[0].response_types == kept

    @pytest.mark.parametrize("name", ["headline", "description", "instruction", "web", "senderName", "note"])
    @pytest.mark.parametrize("value", ["a\x00b", ["a"], {"a": "b"}])
    def test_texts_that_cap_cannot_carry_are_left_out(self, name, value):
        one = item(**{name: value})
        assert "value_dropped" in codes(one)

    def test_a_language_that_is_none_is_undetermined(self):
        assert item(language="!").alert.infos[0].language == "und"

    def test_a_scope_that_is_missing_is_public_and_one_that_is_none_refuses(self):
        assert "value_assumed" in codes(item(scope=None))
        assert not reading(feature(scope="Everybody")).items


class TestShapes:
    @pytest.mark.parametrize(
        ("geometry", "polygons", "unusable", "noted"),
        [
            ({"type": "Polygon", "coordinates": [SQUARE]}, 1, 0, set()),
            ({"type": "Polygon", "coordinates": [SQUARE, SQUARE]}, 1, 0, {"exclude_polygon"}),
            ({"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]}, 2, 0, set()),
            ({"type": "Polygon", "coordinates": [SQUARE[:3]]}, 0, 1, {"polygon_too_few_points"}),
            ({"type": "Polygon", "coordinates": [[*SQUARE[:3], [-100, 40.5]]]}, 1, 0, {"polygon_unclosed"}),
            ({"type": "Polygon", "coordinates": [[[-101, "x"]] * 4]}, 0, 1, {"polygon_malformed"}),
            (
                {"type": "Polygon", "coordinates": [[[-101.0, 95.0], *SQUARE[1:]]]},
                0,
                1,
                {"coordinates_out_of_range"},
            ),
            ({"type": "Polygon", "coordinates": None}, 0, 1, {"polygon_malformed"}),
            ({"type": "Polygon", "coordinates": []}, 0, 1, {"polygon_too_few_points"}),
            ({"type": "MultiPolygon", "coordinates": [[SQUARE], 7]}, 1, 1, {"polygon_malformed"}),
            ({"type": "Point", "coordinates": [1, 2]}, 0, 0, {"value_dropped"}),
            ({"type": [], "coordinates": [1, 2]}, 0, 0, {"value_dropped"}),
            ("POLYGON((1 2))", 0, 0, {"value_dropped"}),
            (None, 0, 0, set()),
        ],
    )
    def test_rings_become_polygons_or_are_set_aside(self, geometry, polygons, unusable, noted):
        one = item(geometry)
        area = one.alert.infos[0].areas[0]
        assert (len(area.polygons), len(area.unusable_polygons)) == (polygons, unusable)
        assert noted <= set(codes(one))
        assert ("area_codes_only" in codes(one)) == (polygons == 0)

    def test_latitude_comes_first(self):
        area = item({"type": "Polygon", "coordinates": [SQUARE]}).alert.infos[0].areas[0]
        assert area.polygons == (((40.0, -101.0), (40.0, -100.0), (41.0, -100.0), (40.0, -101.0)),)

    def test_more_points_than_a_message_may_have_refuse_the_entry(self):
        ring = [[-100 + number / 1e6, 40 + number % 2] for number in range(20_001)]
        assert not reading(feature({"type": "Polygon", "coordinates": [ring]})).items
