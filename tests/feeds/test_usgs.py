"""USGS: GeoJSON, and the XML of its networks (EQXML, product distribution)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from hypothesis import given

from gateway.alerts.model import Status
from gateway.feeds.adapters.usgs import deleted
from gateway.feeds.contract import FeedRefused
from gateway.feeds.strict_json import read_json
from tests.feeds.contract import AdapterContract, assert_holds
from tests.feeds.strangers import JSON, bad

FOLDER = "usgs_geojson"
SEQUENCE = (
    *("1_automatic", "2_second_network", "3_merged_preferred_us", "4_magnitude_update", "5_metadata_only"),
    *("6_gone_from_feed", "7_split"),
)
OTHERS = (
    *("fdsn_dataframes_summary_0", "fdsn_search_id_0", "fdsn_search_null_0", "fdsn_search_scenario_0"),
    *("fdsn_search_search_0", "summary_2.5_week_30", "synthetic_includedeleted_only"),
    *("synthetic_null_mag_null_depth", "synthetic_quarry_blast_negative_depth"),
)


def feature(**changes):
    about = {
        "mag": 5.0,
        "place": "invented",
        "time": 1772338324000,
        "updated": 1772338384000,
        "status": "automatic",
        "net": "us",
        "code": "9000test",
        "ids": ",us9000test,",
        "magType": "mww",
        "type": "earthquake",
    }
    point = {"type": "Point", "coordinates": changes.pop("coordinates", [103.5, 31.2, 10])}
    return {
        "type": "Feature",
        "id": changes.pop("id", "us9000test"),
        "properties": about | changes,
        "geometry": point,
    }


def collection(*found, **metadata):
    return json.dumps(
        {"type": "FeatureCollection", "metadata": {"status": 200} | metadata, "features": list(found)}
    ).encode()


class TestGeoJson(AdapterContract):
    KIND = "usgs"
    GOOD = (
        *(f"{FOLDER}/synthetic_seq_{name}.json" for name in SEQUENCE),
        *(f"{FOLDER}/{name}.json" for name in OTHERS),
    )
    EXPECTED: ClassVar = {
        f"{FOLDER}/synthetic_seq_1_automatic.json": [
            {"ids": ["nc99000001"], "agency": "nc", "magnitude": 4.6, "review": "automatic", "findings": []}
        ],
        f"{FOLDER}/synthetic_seq_3_merged_preferred_us.json": [
            {
                "ids": ["us9000synt", "at00synth1", "nc99000001"],
                "agency": "us",
                "magnitude": 5.1,
                "magnitude_type": "ml",
                "time": "2016-04-12T19:20:21.660000+00:00",
                "lat": 58.261,
                "lon": -137.8477,
                "depth_km": 1.0,
                "review": "reviewed",
                "withdrawn": False,
            }
        ],
        f"{FOLDER}/synthetic_seq_7_split.json": [
            {"ids": ["us9000synt", "at00synth1"], "magnitude": 5.3},
            {"ids": ["nc99000001"], "magnitude": 2.9},
        ],
        f"{FOLDER}/synthetic_includedeleted_only.json": [
            {"ids": ["nc99000001"], "withdrawn": True, "magnitude": None, "findings": []}
        ],
        f"{FOLDER}/synthetic_null_mag_null_depth.json": [
            {"magnitude": None, "findings": ["magnitude_missing"]}
        ],
        f"{FOLDER}/synthetic_quarry_blast_negative_depth.json": [
            {"depth_km": -1.2, "event_type": "quarry blast", "findings": ["not_an_earthquake"]}
        ],
        f"{FOLDER}/fdsn_search_scenario_0.json": [],
        f"{FOLDER}/fdsn_search_id_0.json": [{"agency": "ci", "magnitude": 6.7, "magnitude_type": "mw"}],
    }

    def only(self, **changes):
        (solution,) = self.read(collection(feature(**changes))).solutions
        return solution

    def test_every_step_of_the_sequence_is_later_than_the_one_before(self, samples):
        steps = [self.read(samples[f"{FOLDER}/synthetic_seq_{name}.json"]) for name in SEQUENCE]
        ours = [next((one for one in step.solutions if "nc99000001" in one.ids), None) for step in steps]
        updated = [one.updated for one in ours if one]
        assert updated == sorted(updated)
        assert [one.magnitude if one else None for one in ours] == [4.6, 4.6, 5.1, 5.3, 5.3, None, 2.9]

    def test_metadata_alone_moves_updated_and_nothing_else(self, samples):
        before, after = (
            self.read(samples[f"{FOLDER}/synthetic_seq_{name}.json"]).solutions[0]
            for name in ("4_magnitude_update", "5_metadata_only")
        )
        differing = {name for name in type(before).__slots__ if getattr(before, name) != getattr(after, name)}
        assert differing == {"updated", "version", "original"}

    def test_an_event_that_is_gone_is_not_withdrawn(self, samples):
        reading = self.read(samples[f"{FOLDER}/synthetic_seq_6_gone_from_feed.json"])
        assert reading.listed is None
        assert not any(one.withdrawn for one in reading.solutions)

    def test_the_stamp_of_the_document_is_kept(self):
        reading = self.read(collection(generated=1772338390000))
        assert reading.generated == datetime(2026, 3, 1, 4, 13, 10, tzinfo=UTC)

    def test_the_original_of_one_of_many_is_its_feature(self):
        reading = self.read(collection(feature(), feature(id="us9000other", place="虚构")))
        assert [read_json(one.original)["id"] for one in reading.solutions] == ["us9000test", "us9000other"]
        again = self.read(reading.solutions[1].original).solutions[0]
        assert again == reading.solutions[1]

    def test_the_tsunami_flag_says_nothing(self):
        assert self.only(tsunami=1).findings == self.only(tsunami=0).findings == ()

    def test_a_missing_depth_is_unknown(self):
        assert self.only(coordinates=[103.5, 31.2, None]).depth_km is None
        assert self.only(coordinates=[103.5, 31.2]).depth_km is None

    @pytest.mark.parametrize(
        ("status", "review", "withdrawn"),
        [
            ("automatic", "automatic", False),
            ("REVIEWED", "reviewed", False),
            ("deleted", "unknown", True),
            (None, "unknown", False),
            (["deleted"], "unknown", False),
        ],
    )
    def test_what_the_status_says(self, status, review, withdrawn):
        solution = self.only(status=status)
        assert (solution.review, solution.withdrawn) == (review, withdrawn)

    def test_a_type_of_not_existing_withdraws(self):
        solution = self.only(type="not existing")
        assert solution.withdrawn
        assert solution.event_type == "earthquake"

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("usgs_truncated", "feed_truncated"),
            ("usgs_html", "error_page"),
            ("usgs_nan", "json_not_finite"),
            ("usgs_features_missing", "feed_malformed"),
            ("nws_problem_503", "feed_malformed"),
        ],
    )
    def test_broken_documents_are_refused(self, corpus, name, code):
        with pytest.raises(FeedRefused) as refused:
            self.read(bad(corpus)[name])
        assert refused.value.code == code

    @pytest.mark.parametrize(
        ("name", "code"), [("usgs_geometry_null", "no_origin"), ("json_big_int", "item_malformed")]
    )
    def test_an_event_that_cannot_be_used_is_a_finding(self, corpus, name, code):
        reading = self.read(bad(corpus)[name])
        assert not reading.solutions
        assert [one.code for one in reading.findings] == [code]

    def test_an_answer_with_another_status_is_an_error_page(self):
        with pytest.raises(FeedRefused) as refused:
            self.read(collection(status=503))
        assert refused.value.code == "error_page"

    def test_fewer_events_than_counted_is_told(self):
        reading = self.read(collection(feature(), count=3))
        assert len(reading.solutions) == 1
        assert [one.code for one in reading.findings] == ["feed_truncated"]

    @given(JSON, JSON, JSON, JSON, JSON)
    def test_any_values_leave_the_good_event_alone(self, time, mag, ids, status, coordinates):
        broken = feature(time=time, mag=mag, ids=ids, status=status, coordinates=coordinates)
        reading = self.read(collection(broken, feature(id="us9000good")))
        assert_holds(reading)
        assert reading.solutions[-1].ids[0] == "us9000good"

    @given(JSON)
    def test_any_feature_leaves_the_good_event_alone(self, broken):
        reading = self.read(collection(broken, feature()))
        assert_holds(reading)
        assert reading.solutions[-1].ids == ("us9000test",)


class TestAnswer409:
    @pytest.mark.parametrize(
        ("event", "agency"), [("us7000abcd", "us"), ("nc99000001", "nc"), ("iscgem168418", "iscgem")]
    )
    def test_it_withdraws_the_event(self, event, agency):
        at = datetime(2026, 3, 1, 5, tzinfo=UTC)
        solution = deleted(event, answer=b"Error 409: Conflict", at=at)
        assert solution.withdrawn
        assert (solution.ids, solution.agency, solution.updated) == ((event,), agency, at)
        assert (solution.time, solution.status) == (None, Status.ACTUAL)


class TestEqxml(AdapterContract):
    KIND = "eqxml"
    GOOD = ("eqxml/eqxml_delete.xml", "eqxml/eqxml_quarry.xml")
    EXPECTED: ClassVar = {
        "eqxml/eqxml_delete.xml": [
            {"ids": ["nc71482941"], "agency": "nc", "withdrawn": True, "time": None, "findings": []}
        ],
        "eqxml/eqxml_quarry.xml": [
            {
                "ids": ["uw60386307"],
                "withdrawn": False,
                "time": "2012-03-10T00:06:06.200000+00:00",
                "lat": 49.403,
                "depth_km": 0.0,
                "magnitude": 2.3,
                "magnitude_type": "Md",
                "review": "reviewed",
                "event_type": "quarry blast",
                "findings": ["not_an_earthquake"],
            }
        ],
    }

    def test_several_events_are_cut_out_and_can_be_read_again(self):
        event = b"<Event><DataSource>NC</DataSource><EventID>%d</EventID><Action>Delete</Action></Event>"
        head = b'<EQMessage xmlns="http://www.usgs.gov/ansseqmsg"><Sent>2026-03-01T00:00:00Z</Sent>'
        reading = self.read(head + event % 1 + event % 2 + b"</EQMessage>")
        assert [one.ids for one in reading.solutions] == [("nc1",), ("nc2",)]
        for one in reading.solutions:
            assert self.read(one.original).solutions == [one]

    @pytest.mark.parametrize(
        ("usage", "status"), [("Actual", "Actual"), ("Test", "Test"), ("Scenario", "Exercise")]
    )
    def test_a_test_is_marked(self, usage, status):
        reading = self.read(
            f'<EQMessage xmlns="http://www.usgs.gov/ansseqmsg"><Event><DataSource>NC</DataSource>'
            f"<EventID>1</EventID><Action>Delete</Action><Usage>{usage}</Usage></Event></EQMessage>".encode()
        )
        assert reading.solutions[0].status == status


class TestProducts(AdapterContract):
    KIND = "usgs_pdl"
    GOOD = tuple(
        f"usgs_pdl/ci-origin-ci37645983-{stamp}.xml"
        for stamp in ("1494867948050", "1494868047790", "1494874177010", "1494892985010")
    )
    EXPECTED: ClassVar = {
        GOOD[0]: [
            {
                "agency": "ci",
                "time": "2017-05-15T17:03:45.490000+00:00",
                "depth_km": 4.41,
                "magnitude": 1.82,
                "review": "automatic",
                "place": "3km N of Costa Mesa, CA",
            }
        ],
        GOOD[2]: [{"withdrawn": True, "time": None, "magnitude": None}],
        GOOD[3]: [{"withdrawn": False, "event_type": "quarry blast", "review": "reviewed"}],
    }

    def test_versions_follow_each_other_under_one_name(self, samples):
        found = [self.read(samples[name]).solutions[0] for name in self.GOOD]
        assert {one.ids[0] for one in found} == {"ci37645983"}
        assert [one.version for one in found] == ["2", "3", "4", "6"]
        assert [one.updated for one in found] == sorted(one.updated for one in found)

    def test_another_product_is_refused(self, samples):
        with pytest.raises(FeedRefused):
            self.read(samples[self.GOOD[0]].replace(b":origin:", b":shakemap:"))
