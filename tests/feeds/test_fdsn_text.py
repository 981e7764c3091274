"""Text of FDSN event services."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.contract import FeedRefused
from tests.feeds.contract import AdapterContract, assert_holds

HEADER = (
    "#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|ContributorID|MagType|Magnitude"
    "|MagAuthor|EventLocationName|EventType"
)
GOOD_ROW = "tst2026good|2026-03-01T04:12:04|31.2|103.44|14.2|||TST||ML|5.9||invented|earthquake"


class TestText(AdapterContract):
    KIND = "fdsn_text"
    GOOD = (
        "fdsn_text/ingv_20240830.txt",
        "fdsn_text/sed_20260906.txt",
        "fdsn_text/synthetic_13_columns_usgs.txt",
        "fdsn_text/synthetic_bad_rows.txt",
    )
    CUT_IS_REFUSED = False
    EXPECTED: ClassVar = {
        "fdsn_text/ingv_20240830.txt": [
            {
                "ids": ["ingv:40271581"],
                "agency": "ingv",
                "time": "2024-08-30T19:23:15.940000+00:00",
                "lat": 40.831333,
                "lon": 14.147833,
                "depth_km": 2.4,
                "magnitude": 3.7,
                "magnitude_type": "Md",
                "place": "Campi Flegrei",
                "review": "reviewed",
                "event_type": "earthquake",
                "findings": [],
            },
            {"ids": ["ingv:40271671"], "magnitude": 2.0},
            {"depth_km": 114.8},
            {"depth_km": 114.4},
            {"depth_km": 120.5},
        ],
        "fdsn_text/sed_20260906.txt": [
            {
                "ids": ["smi:ch.ethz.sed/sc25a/Event/2026rqydud"],
                "agency": "sed",
                "magnitude": 1.5333786921733654,
                "time": "2026-09-06T11:21:25.019679+00:00",
            },
            {"magnitude": 2.2258464614830746},
            {"magnitude": 2.0643050618972603},
        ],
        "fdsn_text/synthetic_13_columns_usgs.txt": [
            {"ids": ["us9000synt"], "agency": "us", "magnitude": 5.9, "findings": []},
            {"ids": ["nc99000001"], "magnitude": None, "findings": ["magnitude_missing"]},
        ],
        "fdsn_text/synthetic_bad_rows.txt": [{"ids": ["x5"], "place": "good row", "magnitude": 5.9}],
    }

    def only(self, row):
        (solution,) = self.read(f"{HEADER}\n{row}\n".encode()).solutions
        return solution

    def test_an_answer_without_a_body_is_a_reading_of_nothing(self, corpus):
        for body in ((corpus / "fdsn_text/http_204_no_content.txt").read_bytes(), b"", b"\r\n"):
            reading = self.read(body)
            assert (reading.solutions, reading.findings) == ([], [])

    def test_a_header_alone_is_a_reading_of_nothing(self):
        assert self.read(f"{HEADER}\n".encode()).solutions == []

    def test_bad_rows_are_findings_that_name_the_line(self, samples):
        reading = self.read(samples["fdsn_text/synthetic_bad_rows.txt"])
        assert [(one.code, one.path) for one in reading.findings] == [
            ("item_malformed", f"line {number}") for number in (2, 3, 4, 5)
        ]

    def test_columns_are_found_by_their_names(self):
        turned = "# Magnitude | EventID|Latitude|Longitude|Time|Depth/KM"
        (solution,) = self.read(f"{turned}\n5.9|tst1|31.2|103.4|2026-03-01T04:12:04|14\n".encode()).solutions
        assert (solution.magnitude, solution.depth_km, solution.ids) == (5.9, 14.0, ("tst1",))

    def test_a_last_line_that_is_cut_off_is_half_a_document(self):
        with pytest.raises(FeedRefused) as refused:
            self.read(f"{HEADER}\n{GOOD_ROW}\ntst2026cut|2026-03-01T04".encode())
        assert refused.value.code == "feed_truncated"

    def test_a_last_line_without_its_end_is_read(self):
        assert len(self.read(f"{HEADER}\n{GOOD_ROW}".encode()).solutions) == 1

    @pytest.mark.parametrize("header", ["EventID|Time", "#EventID|Time|Latitude", "Error 400: Bad request"])
    def test_other_text_is_refused(self, header):
        with pytest.raises(FeedRefused) as refused:
            self.read(f"{header}\nmore\n".encode())
        assert refused.value.code == "feed_malformed"

    @pytest.mark.parametrize(
        ("author", "contributor", "agency", "review"),
        [
            ("SURVEY-INGV-OV#SiSmi", "", "ingv", "reviewed"),
            ("SURVEY-INGV", "", "ingv", "reviewed"),
            ("AFAD", "", "afad", "unknown"),
            ("scautoloc@host", "GFZ", "gfz", "automatic"),
            ("person@host", "SED", "sed", "unknown"),
            ("person@host", "", "", "unknown"),
            ("WEL", "WEL(GNS_Primary)", "geonet", "unknown"),
            ("--", "--", "", "unknown"),
        ],
    )
    def test_who_located_it_and_whether_a_person_looked(self, author, contributor, agency, review):
        row = f"tst1|2026-03-01T04:12:04|31.2|103.44|14.2|{author}||{contributor}||ML|5.9||here|earthquake"
        solution = self.only(row)
        assert (solution.agency, solution.review) == (agency, review)

    def test_the_contributors_own_name_is_kept_and_a_bare_number_is_not(self):
        row = "{0}|2026-03-01T04:12:04|31.2|103.44|14.2|||TST|{1}|ML|5.9||here|earthquake"
        assert self.only(row.format("tst1", "us7000abcd")).ids == ("tst1", "us7000abcd")
        assert self.only(row.format("tst1", "1714196")).ids == ("tst1",)

    def test_an_event_that_does_not_exist_is_withdrawn(self):
        solution = self.only(GOOD_ROW.replace("|earthquake", "|not existing"))
        assert solution.withdrawn
        assert solution.event_type == "earthquake"

    def test_a_row_can_be_read_again(self):
        solution = self.only(GOOD_ROW)
        assert self.read(solution.original).solutions == [solution]

    @given(
        st.lists(
            st.text(alphabet=st.characters(exclude_characters="|\r\n", codec="utf-8"), max_size=20),
            max_size=15,
        )
    )
    def test_any_row_leaves_the_good_one_alone(self, cells):
        reading = self.read(f"{HEADER}\n{'|'.join(cells)}\n{GOOD_ROW}\n".encode())
        assert_holds(reading)
        assert reading.solutions[-1].ids == ("tst2026good",)

    @given(st.floats() | st.text(max_size=10), st.floats() | st.text(max_size=10), st.floats())
    def test_any_numbers_are_answered(self, lat, lon, magnitude):
        row = f"tst1|2026-03-01T04:12:04|{lat}|{lon}|14.2|||TST||ML|{magnitude}||here|earthquake"
        assert_holds(self.read(f"{HEADER}\n{row}\n".encode()))
