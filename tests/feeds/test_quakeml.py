"""QuakeML and SeisComPML."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.contract import FeedRefused
from gateway.feeds.solving_xml import authority
from tests.feeds.contract import AdapterContract, assert_holds

FOLDER = "quakeml"
BED = "http://quakeml.org/xmlns/bed/1.2"
STEPS = tuple(
    f"{FOLDER}/synthetic_{name}.xml" for name in ("1_automatic", "2_preferred_changes", "3_not_existing")
)


def origin(name, depth="10000", *, mode="automatic", more="", made=""):
    stamp = f"<creationInfo><creationTime>{made}</creationTime></creationInfo>" if made else ""
    return (
        f'<origin publicID="smi:tst/o/{name}"><time><value>2026-03-01T04:12:04Z</value></time>'
        f"<latitude><value>31.2</value></latitude><longitude><value>103.5</value></longitude>"
        f"<depth><value>{depth}</value></depth><evaluationMode>{mode}</evaluationMode>{more}{stamp}</origin>"
    )


def magnitude(name, value, *, of="1"):
    return (
        f'<magnitude publicID="smi:tst/m/{name}"><mag><value>{value}</value></mag><type>Mw</type>'
        f"<originID>smi:tst/o/{of}</originID></magnitude>"
    )


def event(*parts, name="smi:tst/event/1", kind="earthquake"):
    return f'<event publicID="{name}"><type>{kind}</type>{"".join(parts)}</event>'


def catalogue(*events, version="1.2"):
    inner = f"http://quakeml.org/xmlns/bed/{version}" if version == "1.2" else ""
    space = f' xmlns="{inner}"' if inner else ' xmlns="http://quakeml.org/xmlns/quakeml/1.0"'
    return (
        f'<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/{version}"><eventParameters{space}>'
        f"{''.join(events)}</eventParameters></q:quakeml>"
    ).encode()


class TestQuakeML(AdapterContract):
    KIND = "quakeml"
    GOOD = (
        *STEPS,
        f"{FOLDER}/synthetic_4_dangling_preferred.xml",
        f"{FOLDER}/synthetic_5_no_magnitude.xml",
        f"{FOLDER}/synthetic_6_empty_catalog.xml",
        f"{FOLDER}/geonet_qml101_3506628.xml",
        f"{FOLDER}/geonet_qml101_3541211.xml",
        f"{FOLDER}/obspy_catalog.xml",
        f"{FOLDER}/usgs_mt_usb00083i6.xml",
        f"{FOLDER}/usgs_origin_usc000nwtr.xml",
        f"{FOLDER}/usgs_pde2000.xml",
    )
    EXPECTED: ClassVar = {
        STEPS[0]: [
            {
                "ids": ["smi:example.org/event/2026abcd"],
                "agency": "tst",
                "time": "2026-03-01T04:12:05.120000+00:00",
                "lat": 31.2,
                "lon": 103.5,
                "depth_km": 10.0,
                "magnitude": 5.4,
                "magnitude_type": "mB",
                "place": "SYNTHETIC REGION",
                "review": "automatic",
                "withdrawn": False,
                "findings": [],
            }
        ],
        STEPS[1]: [{"lat": 31.26, "depth_km": 14.2, "magnitude": 5.9, "review": "reviewed", "findings": []}],
        STEPS[2]: [{"withdrawn": True, "event_type": "earthquake", "findings": []}],
        f"{FOLDER}/synthetic_4_dangling_preferred.xml": [
            {"lat": 31.2, "magnitude": 5.4, "findings": ["preferred_dangling"]}
        ],
        f"{FOLDER}/synthetic_5_no_magnitude.xml": [{"magnitude": None, "findings": ["magnitude_missing"]}],
        f"{FOLDER}/synthetic_6_empty_catalog.xml": [],
        f"{FOLDER}/geonet_qml101_3506628.xml": [
            {
                "agency": "geonet",
                "depth_km": 8.0169,
                "magnitude": 2.669,
                "review": "reviewed",
                "findings": ["datum_not_wgs84", "depth_unit_assumed"],
            }
        ],
        f"{FOLDER}/geonet_qml101_3541211.xml": [{"depth_km": 70.8886, "magnitude": 3.888}],
        f"{FOLDER}/obspy_catalog.xml": [
            {
                "ids": [
                    "quakeml:earthquake.usgs.gov/fdsnws/event/1/query?eventid=us6000697y&format=quakeml",
                    "us6000697y",
                ],
                "depth_km": 10.0,
                "place": "3km S of Bulatukan, Philippines",
            },
            {"magnitude": 6.5, "magnitude_type": "mww"},
        ],
        f"{FOLDER}/usgs_mt_usb00083i6.xml": [
            {
                # The hypocentre, which has no depth here, and not the centroid of the moment tensor.
                "agency": "us",
                "lat": -17.755,
                "lon": -178.7675,
                "depth_km": None,
                "magnitude_type": "Mww",
                "findings": [],
            }
        ],
        f"{FOLDER}/usgs_origin_usc000nwtr.xml": [
            {
                "ids": ["quakeml:us.anss.org/event/c000nwtr", "usc000nwtr"],
                "agency": "us",
                "depth_km": 5.0,
                "findings": [],
            }
        ],
        f"{FOLDER}/usgs_pde2000.xml": [
            {"agency": "us", "depth_km": 33.0, "place": "", "findings": ["magnitude_missing"]}
        ],
    }

    def only(self, *parts, version="1.2", **about):
        (solution,) = self.read(catalogue(event(*parts, **about), version=version)).solutions
        return solution

    def test_the_versions_of_an_event_follow_each_other_under_one_name(self, samples):
        found = [self.read(samples[name]).solutions[0] for name in STEPS]
        assert len({one.ids for one in found}) == 1
        assert [one.version for one in found] == ["1", "2", "3"]
        assert [one.updated for one in found] == sorted(one.updated for one in found)

    @pytest.mark.parametrize(
        ("version", "depth", "read", "assumed"),
        [
            ("1.2", "14200", 14.2, False),
            ("1.2", "-300", -0.3, False),
            ("1.2", "650000", 650.0, False),
            ("1.2", "0", 0.0, False),
            ("1.2", "33", 33.0, True),
            ("1.2", "-1.2", -1.2, True),
            ("1.0", "155.5", 155.5, True),
            ("1.0", "33000", 33.0, True),
            ("1.0", "0", 0.0, False),
        ],
    )
    def test_the_unit_of_the_depth(self, version, depth, read, assumed):
        solution = self.only(origin("1", depth), magnitude("1", 5), version=version)
        assert solution.depth_km == read
        assert ("depth_unit_assumed" in codes(solution)) is assumed

    def test_an_impossible_depth_is_left_out(self):
        solution = self.only(origin("1", "5000000"), magnitude("1", 5))
        assert solution.depth_km is None
        assert codes(solution) == ["depth_impossible"]

    def test_without_a_preferred_origin_the_newest_is_taken(self):
        new, old = origin("1", "20000", made="2026-03-01T05:00:00Z"), origin("2", made="2026-03-01T04:00:00Z")
        solution = self.only(new, old, magnitude("1", 5))
        assert solution.depth_km == 20.0
        assert codes(solution) == ["preferred_missing"]

    def test_a_magnitude_of_the_chosen_origin_comes_before_a_newer_one(self):
        wanted = "<preferredOriginID>smi:tst/o/1</preferredOriginID>"
        dangling = "<preferredMagnitudeID>smi:tst/m/404</preferredMagnitudeID>"
        parts = (wanted, dangling, origin("1"), origin("2"), magnitude("1", 5), magnitude("2", 7, of="2"))
        solution = self.only(*parts)
        assert solution.magnitude == 5.0
        assert codes(solution) == ["preferred_dangling"]

    def test_an_event_without_an_origin_is_a_finding(self):
        reading = self.read(catalogue(event(magnitude("1", 5)), event(origin("1"), name="smi:tst/event/2")))
        assert [one.code for one in reading.findings] == ["no_origin"]
        assert [one.ids for one in reading.solutions] == [("smi:tst/event/2",)]

    def test_an_event_that_does_not_exist_needs_no_origin(self):
        solution = self.only(kind="not existing")
        assert solution.withdrawn
        assert solution.time is None

    def test_an_event_that_is_not_reported_is_left_out(self):
        reading = self.read(catalogue(event(origin("1"), kind="not reported")))
        assert not reading.solutions
        assert [one.code for one in reading.findings] == ["not_an_earthquake"]

    @pytest.mark.parametrize(
        ("status", "mode", "review", "withdrawn"),
        [
            ("rejected", "manual", "reviewed", True),
            ("preliminary", "automatic", "automatic", False),
            ("confirmed", "automatic", "reviewed", False),
            ("final", "", "reviewed", False),
            ("", "manual", "reviewed", False),
            ("", "", "unknown", False),
        ],
    )
    def test_who_looked_and_what_was_rejected(self, status, mode, review, withdrawn):
        said = f"<evaluationStatus>{status}</evaluationStatus>"
        solution = self.only(origin("1", mode=mode, more=said), magnitude("1", 5))
        assert (solution.review, solution.withdrawn) == (review, withdrawn)

    def test_of_several_origins_a_rejected_one_is_taken_last(self):
        rejected = origin("2", "20000", more="<evaluationStatus>rejected</evaluationStatus>")
        solution = self.only(origin("1"), rejected, magnitude("1", 5))
        assert not solution.withdrawn
        assert solution.depth_km == 10.0

    def test_values_of_no_list_are_left_out_and_the_event_stays(self):
        odd = origin("1", mode="by hand", more="<evaluationStatus>sure</evaluationStatus>")
        solution = self.only(
            odd, magnitude("1", 5), kind="tremblement", name="smi:tst>>ITAPER(3)>>".replace(">", "&gt;")
        )
        assert solution.ids == ("smi:tst>>ITAPER(3)>>",)
        assert solution.event_type == "earthquake"
        assert {one.code for one in solution.findings} == {"value_dropped"}

    @pytest.mark.parametrize(("kind", "read"), [("quarry_blast", "quarry blast"), ("Explosion", "explosion")])
    def test_other_types_are_kept(self, kind, read):
        solution = self.only(origin("1"), magnitude("1", 5), kind=kind)
        assert solution.event_type == read
        assert codes(solution) == ["not_an_earthquake"]

    @pytest.mark.parametrize(
        ("name", "others"),
        [
            ("smi:webservices.ingv.it/fdsnws/event/1/query?eventId=40271581", ("ingv:40271581",)),
            ("smi:org.gfz-potsdam.de/geofon/gfz2026abcd", ("gfz2026abcd",)),
            ("smi:ch.ethz.sed/sc25a/Event/2026rqydud", ()),
            ("quakeml:earthquake.usgs.gov/query?eventid=us1&amp;format=quakeml", ()),
        ],
    )
    def test_the_name_that_other_formats_use_is_told_where_it_is_unique(self, name, others):
        assert self.only(origin("1"), magnitude("1", 5), name=name).ids[1:] == others

    @pytest.mark.parametrize(
        ("name", "agency"),
        [
            ("smi:webservices.ingv.it/x", "ingv"),
            ("smi:ch.ethz.sed/x", "sed"),
            ("quakeml:us.anss.org/event/1", "us"),
            ("quakeml:service.scedc.caltech.edu/x", "ci"),
            ("smi:nz.org.geonet/1", "geonet"),
            ("smi:example.org/1", "example.org"),
            ("anything", ""),
        ],
    )
    def test_the_agency_of_an_id(self, name, agency):
        assert authority(name) == agency

    def test_each_event_of_a_catalogue_can_be_read_again(self, samples):
        for one in self.read(samples[f"{FOLDER}/obspy_catalog.xml"]).solutions:
            assert self.read(one.original).solutions == [one]

    @pytest.mark.parametrize(
        "body", [b"<alert/>", b'<quakeml xmlns="http://quakeml.org/xmlns/quakeml/1.2"/>', b"<!DOCTYPE a><a/>"]
    )
    def test_other_xml_is_refused(self, body):
        with pytest.raises(FeedRefused):
            self.read(body)

    @given(st.text(alphabet="0123456789.eE+- naif", max_size=12))
    def test_any_depth_is_answered(self, depth):
        assert_holds(self.read(catalogue(event(origin("1", depth), magnitude("1", 5)))))


def codes(solution):
    return [one.code for one in solution.findings]


SCML = (
    '<seiscomp xmlns="http://geofon.gfz-potsdam.de/ns/seiscomp3-schema/0.12"><EventParameters>{}'
    "</EventParameters></seiscomp>"
)


def located(name, depth, value):
    return (
        f'<origin publicID="{name}"><time><value>2026-03-01T04:12:04Z</value></time>'
        f"<latitude><value>31.2</value></latitude><longitude><value>103.5</value></longitude><depth><value>{depth}</value></depth>"
        f'<magnitude publicID="{name}/M"><magnitude><value>{value}</value></magnitude><type>M</type>'
        "</magnitude></origin>"
    )


def known_as(name, of):
    return (
        f'<event publicID="{name}"><preferredOriginID>{of}</preferredOriginID>'
        f"<preferredMagnitudeID>{of}/M</preferredMagnitudeID></event>"
    )


class TestSeisComP(AdapterContract):
    KIND = "scml"
    GOOD = ("scml/geonet_sc3ml_0.12_2024p344188.xml",)
    EXPECTED: ClassVar = {
        GOOD[0]: [
            {
                "ids": ["2024p344188"],
                "agency": "geonet",
                "time": "2024-05-07T08:24:09.853066+00:00",
                "depth_km": 5.1162109375,
                "magnitude": 1.4089917745797527,
                "magnitude_type": "M",
                "place": "Taupo",
                "review": "automatic",
                "event_type": "other",
                "findings": ["not_an_earthquake"],
            }
        ]
    }

    def test_each_event_has_its_own_origins(self):
        parts = (located("o1", 33, 5), located("o2", 7, 4), known_as("e1", "o1"), known_as("e2", "o2"))
        reading = self.read(SCML.format("".join(parts)).encode())
        assert [(one.ids, one.depth_km, one.magnitude) for one in reading.solutions] == [
            (("e1",), 33.0, 5.0),
            (("e2",), 7.0, 4.0),
        ]
        for one in reading.solutions:
            assert self.read(one.original).solutions == [one]

    def test_an_origin_that_is_not_there_is_a_finding(self):
        reading = self.read(SCML.format(known_as("e1", "o9")).encode())
        assert not reading.solutions
        assert [one.code for one in reading.findings] == ["no_origin"]
