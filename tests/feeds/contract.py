"""What every adapter promises, proved on its own samples.

A test file holds one class for each kind that inherits :class:`AdapterContract`, names the kind, its good
samples (of the corpus, or made: ``MADE``) and what must come out of them. Everything else is inherited.
"""

from __future__ import annotations

import contextlib
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts import findings as alert_findings
from gateway.alerts.findings import Findings
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from gateway.alerts.xml import read_tree
from gateway.feeds import findings as feed_findings
from gateway.feeds.adapters import KINDS, adapter
from gateway.feeds.contract import FeedRefused, Reading
from gateway.feeds.document import XML_LIMITS, Document
from gateway.feeds.lines import lines
from gateway.feeds.strict_json import read_json

if TYPE_CHECKING:
    from pathlib import Path

CUTS = 20
URL = "https://feed.example.org/warnings/index"
HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>sorry</body></html>"
JSON_OF_NOBODY = (b"{}", b"[]", b"null", b'{"error":"try later"}', b"0", b'"down for maintenance"')


def recognisers(data: bytes, url: str = "") -> list[str]:
    """Return the kinds that take the document for their own; there should be one at most."""
    document = Document(data, url)
    return [kind for kind in KINDS if adapter(kind).recognises(document)]


def rows(reading: Reading) -> list[dict[str, Any]]:
    """Return one row for each alert or event, as ``tongda feed check`` has them, findings as their codes."""
    return [
        row | {"findings": [one.code for one in row["findings"]]}
        for row in lines("", reading)
        if "links" not in row
    ]


def assert_holds(reading: Reading) -> None:
    """Assert what is true of every reading, whatever the document was."""
    for item in reading.items:
        assert_original(item.original)
        assert parse(write(item.alert)).alert == item.alert, "the alert does not survive being written as CAP"
        if item.is_cap:
            assert parse(item.original).alert == item.alert, "the original is not the CAP document it claims"
    for solution in reading.solutions:
        assert_original(solution.original)
        assert solution.ids
        assert all(solution.ids)
        assert solution.agency == solution.agency.lower()
        assert_place(solution)
        for time in (solution.time, solution.updated):
            assert time is None or time.utcoffset() == timedelta(0)
    assert_findings(reading)


def assert_place(solution: Any) -> None:
    numbers = (solution.lat, solution.lon, solution.depth_km, solution.magnitude)
    assert all(number is None or math.isfinite(number) for number in numbers)
    assert solution.lat is None or -90 <= solution.lat <= 90
    assert solution.lon is None or -180 <= solution.lon <= 180
    if not solution.withdrawn:
        assert None not in (solution.time, solution.lat, solution.lon)


def assert_findings(reading: Reading) -> None:
    known = {**alert_findings.CODES, **feed_findings.CODES}
    of_entries = [one for entry in (*reading.items, *reading.solutions) for one in entry.findings]
    unknown = {one.code for one in (*reading.findings, *of_entries)} - set(known)
    assert not unknown


def assert_original(data: bytes) -> None:
    """What was cut out of a document can be read for itself."""
    assert data.strip()
    if data.lstrip()[:1] in {b"{", b"["}:
        read_json(data)
    elif data.lstrip()[:1] == b"<":
        read_tree(data, XML_LIMITS, Findings())


class AdapterContract:
    """Inherit, and fill in the first lines.

    Attributes:
        KIND: The kind, as in ``gateway.feeds.adapters.KINDS``.
        GOOD: Samples, as paths inside the corpus.
        MADE: Samples that the corpus lacks: name -> bytes.
        EXPECTED: Sample -> its rows in order, each with the columns that matter, as :func:`rows` has them.
            A sample that is not named is only read.
        CUT_IS_REFUSED: Whether half a document can be told from a whole one; ``False`` for lines of text.
        TAKEN_BY: The kind that recognises the samples, where it is another one.
        EMPTY_ANSWERS: Bodies of :data:`JSON_OF_NOBODY` that are this source's way to say "nothing".
    """

    KIND: ClassVar[str]
    GOOD: ClassVar[tuple[str, ...]] = ()
    MADE: ClassVar[dict[str, bytes]] = {}
    EXPECTED: ClassVar[dict[str, list[dict[str, Any]]]] = {}
    CUT_IS_REFUSED: ClassVar[bool] = True
    TAKEN_BY: ClassVar[str] = ""
    EMPTY_ANSWERS: ClassVar[tuple[bytes, ...]] = ()

    def read(self, data: bytes, url: str = URL) -> Reading:
        """Read a document by this kind."""
        reading = adapter(self.KIND).read(Document(data, url))
        assert reading.kind == self.KIND
        return reading

    @pytest.fixture
    def samples(self, request: pytest.FixtureRequest) -> dict[str, bytes]:
        """Name -> bytes of the good samples."""
        if not self.GOOD:
            return self.MADE
        corpus: Path = request.getfixturevalue("corpus")
        return self.MADE | {name: (corpus / name).read_bytes() for name in self.GOOD}

    def test_there_are_samples_and_the_rows_are_about_them(self, samples):
        assert samples
        assert set(self.EXPECTED) <= set(samples)

    def test_it_takes_its_own_samples_and_nobody_else_does(self, samples):
        taken = {name: recognisers(data) for name, data in samples.items()}
        assert taken == {name: [self.TAKEN_BY or self.KIND] for name in samples}

    def test_it_takes_no_file_that_another_takes(self, corpus):
        paths = [path for path in corpus.glob("*/*") if path.is_file()]
        found = {path.name: recognisers(path.read_bytes()) for path in paths}
        assert not {name: kinds for name, kinds in found.items() if self.KIND in kinds and len(kinds) > 1}

    def test_what_comes_out(self, samples):
        for name, expected in self.EXPECTED.items():
            found = rows(self.read(samples[name]))
            shown = [
                {column: row[column] for column in wanted}
                for row, wanted in zip(found, expected, strict=False)
            ]
            assert shown == expected, name
            assert len(found) == len(expected), name

    def test_originals_are_kept_and_everything_can_be_written(self, samples):
        for data in samples.values():
            assert_holds(self.read(data))

    def test_reading_twice_gives_the_same(self, samples):
        for name, data in samples.items():
            assert self.read(data) == self.read(data), name

    def test_half_a_document_is_refused(self, samples):
        for name, data in samples.items():
            whole = data.rstrip()
            for number in range(CUTS):
                cut = whole[: len(whole) * number // CUTS]
                if self.CUT_IS_REFUSED:
                    with pytest.raises(FeedRefused):
                        pytest.fail(f"{name} cut off at {len(cut)}: {self.read(cut)!r:.200}")
                else:
                    with contextlib.suppress(FeedRefused):
                        assert_holds(self.read(cut))

    @pytest.mark.parametrize(
        "body", [HTML, b"<html></html>", b"\xef\xbb\xbf" + HTML, HTML.decode().encode("utf-16")]
    )
    def test_a_web_page_is_refused(self, body):
        with pytest.raises(FeedRefused):
            self.read(body)

    @pytest.mark.parametrize("body", JSON_OF_NOBODY)
    def test_json_that_is_not_the_sources_is_refused(self, body):
        if body in self.EMPTY_ANSWERS:
            reading = self.read(body)
            assert not reading.items
            assert not reading.solutions
            return
        with pytest.raises(FeedRefused):
            self.read(body)

    def test_refusals_have_a_known_code_and_one_line(self):
        for body in (b"", HTML, b"{}", b"<a/>", b"\x00\xff"):
            with contextlib.suppress(FeedRefused):
                self.read(body)
                continue
            with pytest.raises(FeedRefused) as refused:
                self.read(body)
            assert refused.value.code in feed_findings.CODES
            assert "\n" not in refused.value.message

    def test_any_bytes_are_answered_or_refused(self):
        @given(st.binary(max_size=300))
        def answers(data):
            with contextlib.suppress(FeedRefused):
                assert_holds(self.read(data))

        answers()
