"""MeteoAlarm: CAP as JSON, and pages of its index."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from gateway.alerts.model import Alert
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from gateway.feeds.adapters.meteoalarm import ADAPTER
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from gateway.feeds.making import in_force
from tests.feeds.contract import URL, AdapterContract, assert_holds

HUB = "https://hub.example.org"


def info(language="en-GB", level="2; yellow; Moderate", **changes):
    made = {
        "language": language,
        "category": ["Met"],
        "event": "Invented wind warning",
        "urgency": "Future",
        "severity": "Moderate",
        "certainty": "Likely",
        "effective": "2026-07-31T09:51:18+02:00",
        "expires": "2026-08-01T23:59:59+02:00",
        "parameter": [
            {"valueName": "awareness_level", "value": level},
            {"valueName": "awareness_type", "value": "1; Wind"},
        ],
        "area": [{"areaDesc": "Invented", "geocode": [{"valueName": "EMMA_ID", "value": "XX001"}]}],
    }
    return made | changes


def warning(*infos, number="1", **changes):
    alert = {
        "identifier": f"2.49.0.0.999.0.XX.{number}",
        "sender": "invented@example.org",
        "sent": "2026-07-31T09:51:18+02:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        "incidents": "Alert",
        "info": list(infos or [info()]),
    }
    return {"alert": alert | changes, "uuid": f"00000000-0000-0000-0000-{number:0>12}"}


def reading(*warnings):
    found = ADAPTER.read(Document(json.dumps({"warnings": list(warnings)}).encode()))
    assert_holds(found)
    return found


def index(*entries, **more):
    features = [{"id": entry.pop("id", "same"), "type": "Feature", "properties": entry} for entry in entries]
    body = json.dumps({"metadata": {"page": 1, "total_pages": 1}, "features": features} | more)
    return ADAPTER.read(Document(body.encode(), URL))


def codes(findings):
    return [one.code for one in findings]


class TestMeteoAlarm(AdapterContract):
    KIND = "meteoalarm"
    GOOD = (
        "meteoalarm/feed_austria_sample.json",
        "meteoalarm/feed_italy_sample.json",
        "meteoalarm/feed_netherlands.json",
        "meteoalarm/edr_index_multipage_p1.json",
        "meteoalarm/edr_index_multipage_p2.json",
        "meteoalarm/edr_index_objectid_reuse.json",
        "meteoalarm/edr_index_superseded_isolation.json",
    )
    MADE: ClassVar = {"nothing": b'{"warnings":[]}'}
    EXPECTED: ClassVar = {
        "meteoalarm/feed_austria_sample.json": [
            {"msgType": "Alert", "severity": "Moderate", "event": "Hitzewarnung", "in_force": True},
            {"msgType": "Update", "event": "Gewitterwarnung"},
            {"msgType": "Alert", "event": "Gewitterwarnung"},
            {"msgType": "Alert", "severity": "Severe", "event": "Hitzewarnung"},
            {"msgType": "Update", "event": "Windwarnung"},
            {"msgType": "Alert", "severity": "Severe"},
        ],
        "meteoalarm/feed_italy_sample.json": [
            {"severity": severity, "in_force": holds}
            for severity, holds in (
                *(("Severe", True), ("Severe", True), ("Severe", True), ("Moderate", True), ("Minor", False)),
                *(
                    ("Moderate", True),
                    ("Severe", True),
                    ("Moderate", True),
                    ("Moderate", True),
                    ("Extreme", True),
                ),
            )
        ],
        "meteoalarm/feed_netherlands.json": [{"in_force": False}] * 3,
        "nothing": [],
    }

    def test_the_feed_lists_all_that_is_in_force(self, samples):
        read = self.read(samples["meteoalarm/feed_austria_sample.json"])
        assert read.listed is not None
        assert len(read.listed) == 6
        assert (
            "cap@zamg.ac.at,2.49.0.0.40.0.AT.-20260731095118_d1_707,2026-07-31T09:51:18+02:00" in read.listed
        )

    def test_references_incidents_and_parameters_are_kept(self, samples):
        alert = self.read(samples["meteoalarm/feed_austria_sample.json"]).items[1].alert
        assert [one.identifier for one in alert.references] == ["2.49.0.0.40.0.AT.20260725132523.4824_1_707"]
        assert alert.incidents == ("Update",)
        assert [one.value for one in alert.infos[0].parameters] == ["2; yellow; Moderate", "3; Thunderstorm"]

    def test_the_same_warning_means_the_same_in_json_and_in_cap(self, samples):
        item = self.read(samples["meteoalarm/feed_austria_sample.json"]).items[0]
        assert parse(write(item.alert)).alert == item.alert
        assert not item.is_cap

    def test_superseded_entries_of_an_index_are_no_links(self, samples):
        assert self.read(samples["meteoalarm/edr_index_superseded_isolation.json"]).links == []

    def test_an_object_id_that_is_used_again_leads_to_both(self, samples):
        data = samples["meteoalarm/edr_index_objectid_reuse.json"].replace(b"http://TESTSERVER", HUB.encode())
        assert [one.url for one in self.read(data).links] == [f"{HUB}/cap/reuse-a", f"{HUB}/cap/reuse-b"]


class TestEntries:
    def test_a_broken_one_is_a_finding_and_the_others_come_out(self):
        found = reading(warning(sent="yesterday"), warning(number="2"), {"uuid": "x"}, warning(info="x"), 3)
        assert [one.alert.identifier for one in found.items] == ["2.49.0.0.999.0.XX.2"]
        assert codes(found.findings) == ["item_refused", "item_malformed", "item_malformed", "item_malformed"]
        assert found.listed is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"identifier": None},
            {"identifier": "a b"},
            {"sender": {"a": 1}},
            {"status": "Real"},
            {"msgType": ["Alert", "Cancel"]},
            {"sent": "2026-07-31T09:51:18"},
            {"note": "\x00"},
            {"info": [[]]},
        ],
    )
    def test_what_cap_refuses_is_refused_here(self, changes):
        found = reading(warning(**changes))
        assert not found.items
        assert len(found.findings) == 1

    def test_nulls_and_words_that_cap_does_not_have_are_passed_over(self):
        (item,) = reading(warning(note=None, invented="x")).items
        assert isinstance(item.alert, Alert)
        assert b'"invented":"x"' in item.original

    def test_polygons_and_circles_come_as_text(self):
        area = {"areaDesc": "Invented", "polygon": ["1,1 1,2 2,2 1,1"], "circle": ["1,1 5"], "altitude": 300}
        (item,) = reading(warning(info(area=[area]))).items
        (made,) = item.alert.infos[0].areas
        assert made.polygons == (((1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (1.0, 1.0)),)
        assert (made.circles[0].radius_km, made.altitude) == (5.0, 300)

    def test_a_shape_as_geojson_refuses_the_entry(self):
        found = reading(warning(info(area=[{"areaDesc": "Invented", "polygon": [[[1, 1], [1, 2]]]}])))
        assert codes(found.findings) == ["item_malformed"]


class TestGreen:
    @pytest.mark.parametrize(
        ("levels", "holds"),
        [
            (["1; green; Minor"], False),
            (["1"], False),
            (["1; green; Minor"] * 2, False),
            (["1; green; Minor", "3; orange; Severe"], True),
            (["4; red; Extreme"], True),
        ],
    )
    def test_nothing_is_in_force_where_every_block_is_green(self, levels, holds):
        (item,) = reading(warning(*(info(level=level) for level in levels))).items
        assert item.in_force == in_force(item.alert) == holds
        assert ("not_in_force" in codes(item.findings)) != holds

    def test_a_block_without_a_level_is_in_force(self):
        (item,) = reading(warning(info(level="1; green; Minor"), info(parameter=[]))).items
        assert item.in_force

    def test_a_cancel_without_blocks_is_in_force(self):
        (item,) = reading(warning(msgType="Cancel", info=[])).items
        assert item.in_force
        assert in_force(item.alert)


class TestIndex:
    def test_links_are_resolved_and_stand_once(self):
        found = index(
            {"hubLink": "cap/1", "alertId": "a", "hubTime": "2026-07-26T09:24:57Z", "supersededAt": None},
            {"hubLink": f"{HUB}/cap/2", "alertId": "b"},
            {"hubLink": f"{HUB}/cap/2", "alertId": "b"},
            {"hubLink": f"{HUB}/cap/3", "supersededAt": "2026-07-26T10:00:00Z"},
        )
        assert [tuple(one) for one in found.links] == [
            ("https://feed.example.org/warnings/cap/1", "a", "2026-07-26T09:24:57Z"),
            (f"{HUB}/cap/2", "b", ""),
        ]
        assert found.listed is None

    @pytest.mark.parametrize(
        ("link", "code"),
        [
            (None, "link_missing"),
            (7, "link_missing"),
            ("file:///etc/passwd", "link_refused"),
            ("http://127.0.0.1/x", "link_refused"),
            ("http://[", "link_refused"),
        ],
    )
    def test_other_links_are_findings(self, link, code):
        found = index({"hubLink": link})
        assert not found.links
        assert codes(found.findings) == [code]

    def test_further_pages_are_told_of(self):
        found = index(metadata={"total_pages": 3})
        assert codes(found.findings) == ["link_missing"]
        assert "3 pages" in found.findings[0].message

    @pytest.mark.parametrize("body", [b'{"warnings":{}}', b'{"features":1}', b'{"status":429,"title":"x"}'])
    def test_other_json_is_refused(self, body):
        with pytest.raises(FeedRefused):
            ADAPTER.read(Document(body))
