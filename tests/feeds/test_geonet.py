"""GeoNet's list of earthquakes."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from tests.feeds.contract import AdapterContract


def listed(**changes):
    about = {
        "publicID": "2026p000001",
        "time": "2026-03-01T04:12:04.880Z",
        "depth": 12.5,
        "magnitude": 5.02,
        "mmi": 6,
        "locality": "invented",
        "quality": "best",
    }
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [174.5, -41.2]},
        "properties": about | changes,
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


class TestGeoNet(AdapterContract):
    KIND = "geonet"
    GOOD = ("geonet/quake_mmi6.json", "geonet/quake_mmi4_25.json")
    MADE: ClassVar = {"made": listed()}
    EXPECTED: ClassVar = {
        "geonet/quake_mmi6.json": [
            {
                "ids": ["2019p159004"],
                "agency": "geonet",
                "withdrawn": True,
                "time": "2019-02-28T19:55:40.786000+00:00",
                "lat": -38.07928467,
                "lon": 178.2567291,
                "depth_km": 0.0,
                "magnitude": 5.020958811,
                "place": "5 km north-west of Tokomaru Bay",
                "findings": [],
            }
        ],
        "made": [{"withdrawn": False, "review": "reviewed", "depth_km": 12.5}],
    }

    def test_of_a_list_those_deleted_are_withdrawn(self, samples):
        reading = self.read(samples["geonet/quake_mmi4_25.json"])
        assert len(reading.solutions) == 25
        assert [one.ids for one in reading.solutions if one.withdrawn] == [("2019p497615",)]

    @pytest.mark.parametrize(
        ("quality", "review"),
        [
            ("best", "reviewed"),
            ("automatic", "automatic"),
            ("preliminary", "unknown"),
            ("deleted", "unknown"),
            (None, "unknown"),
            (["best"], "unknown"),
        ],
    )
    def test_what_quality_says_of_the_review(self, quality, review):
        assert self.read(listed(quality=quality)).solutions[0].review == review

    def test_an_empty_list_is_a_reading_of_nothing(self):
        reading = self.read(b'{"type":"FeatureCollection","features":[]}')
        assert (reading.solutions, reading.findings, reading.listed) == ([], [], None)

    def test_an_event_can_be_read_again(self, samples):
        for one in self.read(samples["geonet/quake_mmi4_25.json"]).solutions:
            assert self.read(one.original).solutions == [one]

    def test_an_event_without_an_id_is_a_finding(self):
        reading = self.read(listed(publicID=None))
        assert [one.code for one in reading.findings] == ["item_malformed"]
