"""JSON of Canada's, Norway's, Germany's and Ireland's weather services."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from gateway.alerts.model import MsgType, Severity
from gateway.feeds.adapters import adapter
from gateway.feeds.document import Document
from tests.feeds.contract import AdapterContract, assert_holds

SQUARE = [[-79.0, 43.0], [-78.0, 43.0], [-78.0, 44.0], [-79.0, 43.0]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}


def reading(kind, value):
    found = adapter(kind).read(Document(json.dumps(value).encode()))
    assert_holds(found)
    return found


def codes(findings):
    return [one.code for one in findings]


def collection(*features, **more):
    return {"type": "FeatureCollection", "features": list(features)} | more


def canadian(**changes):
    about = {
        "id": "1_fea1-1",
        "alert_code": "FRW",
        "alert_type": "warning",
        "alert_name_en": "invented warning",
        "alert_name_fr": "avertissement inventé",
        "publication_datetime": "2026-07-01T08:00:00.500Z",
        "expiration_datetime": "2026-07-01T12:00:00Z",
        "validity_datetime": "2026-07-01T09:00:00Z",
        "event_end_datetime": "2026-07-01T11:00:00Z",
        "alert_text_en": "Invented.",
        "alert_text_fr": "Inventé.",
        "feature_name_en": "Invented",
        "feature_name_fr": "Inventé",
        "feature_id": "fea1-1",
        "risk_colour_en": "yellow",
        "confidence_en": "High",
        "status_en": "issued",
    }
    return {"type": "Feature", "geometry": POLYGON, "properties": about | changes}


def norwegian(interval=("2026-07-01T08:00:00+00:00", "2026-07-01T18:00:00+00:00"), **changes):
    about = {
        "id": "2.49.0.1.578.0.260701070000.0001_1_0",
        "status": "Actual",
        "type": "Alert",
        "event": "gale",
        "severity": "Moderate",
        "certainty": "Likely",
        "awareness_level": "2; yellow; Moderate",
        "awareness_type": "1; Wind",
        "area": "Oppdiktet",
        "county": ["99"],
        "title": "Oppdiktet kuling",
        "altitude_above_sea_level": 0,
        "triggerLevel": "17.2 m/s",
    }
    return {
        "type": "Feature",
        "geometry": POLYGON,
        "properties": about | changes,
        "when": {"interval": list(interval)},
    }


def german(**changes):
    about = {
        "alert_id": "2.49.0.0.276.0.DWD.PVW.1.invented",
        "effective": "2026-07-01T08:00:00+00:00",
        "onset": "2026-07-01T09:00:00+00:00",
        "expires": "2026-07-01T18:00:00+00:00",
        "category": "met",
        "response_type": "prepare",
        "urgency": "immediate",
        "severity": "minor",
        "certainty": "likely",
        "event_code": 22,
        "event_en": "frost",
        "event_de": "FROST",
        "headline_en": "Invented",
        "headline_de": "Erfunden",
        "status": "actual",
    }
    return about | changes


def irish(**changes):
    about = {
        "capId": "2.49.0.1.372.0.invented",
        "severity": "Severe",
        "certainty": "Likely",
        "level": "Orange",
        "issued": "2026-07-01T08:00:00-00:00",
        "onset": "2026-07-01T09:00:00-00:00",
        "expiry": "2026-07-01T18:00:00-00:00",
        "headline": "Invented Wind Warning",
        "description": "Invented.",
        "regions": ["EI99"],
        "status": "Warning",
    }
    return about | changes


def warnings(*entries):
    return {"warnings": {"national": list(entries), "marine": [], "environmental": []}}


class TestEccc(AdapterContract):
    KIND = "eccc"
    GOOD = ("canada/eccc_wfs_alerts.json",)
    MADE: ClassVar = {
        "nothing": json.dumps(
            collection(links=[{"href": "https://api.weather.gc.ca/collections/weather-alerts/items"}])
        ).encode()
    }
    EXPECTED: ClassVar = {
        "canada/eccc_wfs_alerts.json": [
            *({"msgType": "Update", "severity": "Moderate", "event": "freezing rain warning", "polygons": 2},)
            * 6,
            {
                "msgType": "Alert",
                "severity": "Minor",
                "expires": "2026-03-06T14:00:00+00:00",
                "findings": ["ends_after_expires"],
            },
        ],
        "nothing": [],
    }

    def test_both_languages_say_the_same_of_the_same_place(self, samples):
        english, french = self.read(samples[self.GOOD[0]]).items[2].alert.infos
        assert (english.language, french.language) == ("en-CA", "fr-CA")
        assert (english.areas[0].area_desc, french.areas[0].area_desc) == (
            "City of Hamilton",
            "ville de Hamilton",
        )
        assert english.areas[0].polygons == french.areas[0].polygons
        assert english.parameters == french.parameters

    def test_it_lists_all_that_is_in_force(self, samples):
        read = self.read(samples[self.GOOD[0]])
        assert read.listed is not None
        assert len(read.listed) == 7
        assert read.generated == datetime(2026, 3, 6, 2, 3, 41, tzinfo=UTC)

    def test_a_page_of_many_lists_nothing(self):
        assert reading("eccc", collection(canadian(), numberMatched=2)).listed is None
        assert reading("eccc", collection(canadian(), canadian(id=None))).listed is None

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("issued", MsgType.ALERT),
            ("Continued", MsgType.UPDATE),
            ("updated", MsgType.UPDATE),
            ("ended", MsgType.CANCEL),
            ("invented", MsgType.UPDATE),
            (None, MsgType.UPDATE),
        ],
    )
    def test_message_type(self, status, expected):
        (item,) = reading("eccc", collection(canadian(status_en=status))).items
        assert item.alert.msg_type == expected
        assert item.event_key == "1_fea1-1"

    @pytest.mark.parametrize(
        ("colour", "kind", "expected"),
        [
            ("red", "warning", Severity.EXTREME),
            ("orange", "warning", Severity.SEVERE),
            ("yellow", "warning", Severity.MODERATE),
            (None, "warning", Severity.SEVERE),
            (None, "watch", Severity.MODERATE),
            (None, "statement", Severity.MINOR),
            ("mauve", "invented", Severity.UNKNOWN),
        ],
    )
    def test_severity(self, colour, kind, expected):
        (item,) = reading("eccc", collection(canadian(risk_colour_en=colour, alert_type=kind))).items
        assert item.alert.infos[0].severity == expected

    def test_each_publication_is_a_message_of_its_own(self):
        first, second = reading(
            "eccc", collection(canadian(), canadian(publication_datetime="2026-07-01T09:00:00Z"))
        ).items
        assert first.alert.identifier == "1_fea1-1_20260701080000"
        assert second.alert.identifier == "1_fea1-1_20260701090000"
        assert first.event_key == second.event_key

    @pytest.mark.parametrize("changes", [{"id": "a b"}, {"publication_datetime": "x"}, {"alert_name_fr": ""}])
    def test_a_broken_entry_is_a_finding(self, changes):
        found = reading("eccc", collection(canadian(**changes), canadian()))
        assert len(found.items) == 1
        assert codes(found.findings) == ["item_malformed"]


class TestMetNo(AdapterContract):
    KIND = "metno"
    GOOD = ("other_json/metno_metalerts.json",)
    MADE: ClassVar = {
        "nothing": json.dumps(collection(lang="en", lastChange="2026-07-01T08:00:00+00:00")).encode()
    }
    EXPECTED: ClassVar = {
        "other_json/metno_metalerts.json": [{"severity": "Moderate", "in_force": True}] * 29,
        "nothing": [],
    }

    def test_both_forms_of_the_identifier_tell_when_it_was_sent(self, samples):
        items = self.read(samples[self.GOOD[0]]).items
        assert items[0].alert.sent == datetime(2026, 3, 6, 22, tzinfo=UTC)
        assert items[24].alert.sent == datetime(2026, 3, 6, 19, 22, 10, tzinfo=UTC)

    def test_an_identifier_without_a_time_is_a_finding(self):
        for identifier in ("2.49.0.1.578.0.x.1", "2.49.0.1.578.0.269901070000.1", "1"):
            found = reading("metno", collection(norwegian(id=identifier), lang="no"))
            assert codes(found.findings) == ["item_malformed"]

    @pytest.mark.parametrize(("lang", "tag"), [("no", "no"), ("en", "en"), ("x", "und"), (None, "und")])
    def test_the_language_is_that_of_the_document(self, lang, tag):
        (item,) = reading("metno", collection(norwegian(), lang=lang)).items
        assert item.alert.infos[0].language == tag

    def test_what_cap_has_no_place_for_is_kept(self):
        (item,) = reading("metno", collection(norwegian(), lang="no")).items
        kept = {pair.value_name: pair.value for pair in item.alert.infos[0].parameters}
        assert kept == {
            "awareness_level": "2; yellow; Moderate",
            "awareness_type": "1; Wind",
            "metno:altitude_above_sea_level": "0",
            "metno:triggerLevel": "17.2 m/s",
        }
        assert item.alert.infos[0].areas[0].geocodes[0].value == "99"

    def test_green_is_not_in_force(self):
        (item,) = reading("metno", collection(norwegian(awareness_level="1; green; Minor"), lang="no")).items
        assert not item.in_force

    @pytest.mark.parametrize("interval", [(), ("x", "y"), ("2026-07-01T08:00:00Z",), (1, None)])
    def test_a_broken_interval_is_left_out(self, interval):
        (item,) = reading("metno", collection(norwegian(interval), lang="no")).items
        assert (item.alert.infos[0].onset, item.alert.expires) == (None, None)


class TestBrightSky(AdapterContract):
    KIND = "brightsky"
    GOOD = ("other_json/brightsky_alerts.json",)
    MADE: ClassVar = {"nothing": b'{"alerts":[],"location":null}'}
    EXPECTED: ClassVar = {
        "other_json/brightsky_alerts.json": [
            {
                "msgType": "Alert",
                "severity": "Minor",
                "event": "FROST",
                "expires": "2026-03-07T08:00:00+00:00",
                "findings": ["unofficial", "area_codes_only"],
            }
        ],
        "nothing": [],
    }

    def test_it_is_for_information_only(self):
        assert not adapter("brightsky").official

    def test_the_place_asked_for_is_all_that_is_said_of_where(self):
        told = {"name": "Erfunden", "warn_cell_id": 999}
        (item,) = reading("brightsky", {"alerts": [german()], "location": told}).items
        (area,) = item.alert.infos[0].areas
        assert (area.area_desc, area.geocodes[0].value) == ("Erfunden", "999")
        (item,) = reading("brightsky", {"alerts": [german()]}).items
        assert not item.alert.infos[0].areas

    def test_both_languages_are_there(self):
        (item,) = reading("brightsky", {"alerts": [german()]}).items
        assert [(info.language, info.headline) for info in item.alert.infos] == [
            ("de-DE", "Erfunden"),
            ("en", "Invented"),
        ]

    @pytest.mark.parametrize(
        "changes", [{"effective": "x"}, {"status": None}, {"event_en": None}, {"alert_id": 1.5}]
    )
    def test_a_broken_entry_is_a_finding_or_read(self, changes):
        found = reading("brightsky", {"alerts": [german(**changes), german()]})
        assert len(found.items) == 2 - len(found.findings)

    def test_a_test_is_one(self):
        (item,) = reading("brightsky", {"alerts": [german(status="test")]}).items
        assert item.alert.status == "Test"


class TestMetEireann(AdapterContract):
    KIND = "meteireann"
    GOOD = ("other_json/meteireann_warnings.json",)
    EXPECTED: ClassVar = {
        "other_json/meteireann_warnings.json": [
            {"severity": "Moderate", "event": "Small Craft Warning", "sent": "2026-03-07T00:00:00+00:00"}
        ]
    }

    def test_nil_is_no_warning(self, samples):
        read = self.read(samples[self.GOOD[0]])
        assert [(one.code, one.path) for one in read.findings] == [("not_in_force", "warnings/marine[1]")]

    def test_it_is_for_information_only(self):
        assert not adapter("meteireann").official
        (item,) = reading("meteireann", warnings(irish())).items
        assert "unofficial" in codes(item.findings)

    def test_no_entries_are_a_sign_of_life(self):
        assert reading("meteireann", warnings()).heartbeat

    def test_an_entry_with_all_its_fields(self):
        (item,) = reading("meteireann", warnings(irish())).items
        (info,) = item.alert.infos
        assert (item.alert.identifier, info.severity, info.certainty) == (
            "2.49.0.1.372.0.invented",
            "Severe",
            "Likely",
        )
        assert info.expires == datetime(2026, 7, 1, 18, tzinfo=UTC)
        assert info.areas[0].geocodes[0].value == "EI99"

    def test_times_in_words_are_irish(self):
        words = {"issued": "", "capId": "0", "issuedAt": "08:00 Wednesday 01/07/2026"}
        (item,) = reading("meteireann", warnings(irish(**words))).items
        assert item.alert.sent == datetime(2026, 7, 1, 7, tzinfo=UTC)
        assert item.alert.identifier == "national-Invented-Wind-Warning-202607010800"
        assert "time_zone_assumed" in codes(item.findings)

    @pytest.mark.parametrize("level", ["Green", "green"])
    def test_green_is_not_in_force(self, level):
        (item,) = reading("meteireann", warnings(irish(level=level))).items
        assert not item.in_force

    @pytest.mark.parametrize(
        ("level", "expected"),
        [("Yellow", "Moderate"), ("Orange", "Severe"), ("Red", "Extreme"), ("Mauve", "Unknown")],
    )
    def test_severity_by_colour(self, level, expected):
        (item,) = reading("meteireann", warnings(irish(severity="", level=level))).items
        assert item.alert.infos[0].severity == expected

    @pytest.mark.parametrize(
        "changes",
        [
            {"issued": "", "issuedAt": None},
            {"issued": "", "issuedAt": "25:00 Wednesday 99/99/2026"},
            {"issued": "x"},
            {"headline": ""},
            {"capId": "a b"},
        ],
    )
    def test_a_broken_entry_is_a_finding(self, changes):
        found = reading("meteireann", warnings(irish(**changes), irish()))
        assert len(found.items) == 1
        assert codes(found.findings) == ["item_malformed"]
