"""Every file of the corpus is answered: read by one adapter, or refused in words."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.feeds.adapters import KINDS, adapter, recognise
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from tests.feeds.contract import URL, assert_holds, recognisers

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
FILES = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*") if path.is_file())
ABSENT = pytest.param("", marks=pytest.mark.skip("no corpus beside the checkout: ../shared/corpus"))
CASES = [name for name in FILES if name.endswith(".jsonl")]

NOBODYS = {
    "cap_bad/billion_laughs.xml",
    "cap_bad/cases.jsonl",
    "cap_bad/deep_nesting.xml",
    "cap_bad/empty.xml",
    "cap_bad/not_xml_html_error.xml",
    "cap_bad/quadratic_blowup.xml",
    "cap_bad/xxe_external_dtd.xml",
    "cap_bad/xxe_file.xml",
    "cap_bad/xxe_http.xml",
    "cap_bad/xxe_parameter_entity.xml",
    "fdsn_text/http_204_no_content.txt",
    "jma/bosai_warning_tokyo.json",
    "jma/p2p_expected_20230410231623_04156158_VXSE53.json",
    "jma/p2p_expected_20231009064018_06274659_VTSE41.json",
    "json_bad/cases.jsonl",
    "json_bad/json_deep_nesting.json",
    "schemas/CAP-v1.2-wmo-signature.xsd",
    "schemas/CAP-v1.2.xsd",
}
"""Files that no adapter takes: hostile ones, and what other programs made."""

OF_A_FOLDER = {
    "atom": "atom",
    "cap": "cap",
    "cap_bad": "cap",
    "cap_legacy": "cap",
    "eqxml": "eqxml",
    "fdsn_text": "fdsn_text",
    "geonet": "geonet",
    "nws_json": "nws",
    "quakeml": "quakeml",
    "rss": "rss",
    "scml": "scml",
    "usgs_geojson": "usgs",
    "usgs_pdl": "usgs_pdl",
}
"""Folders of one kind."""


def cases():
    """Yield the name and the document of each case of the files of cases."""
    for name in CASES:
        for line in (CORPUS / name).read_bytes().splitlines():
            case = orjson.loads(line)
            yield f"{name}:{case['name']}", (case.get("xml") or case.get("body") or "").encode()


class TestEveryFile:
    @pytest.mark.parametrize("name", FILES or [ABSENT])
    def test_at_most_one_adapter_takes_it(self, name):
        kinds = recognisers((CORPUS / name).read_bytes())
        assert len(kinds) == (0 if name in NOBODYS else 1), kinds

    @pytest.mark.parametrize("name", FILES or [ABSENT])
    def test_it_is_taken_by_the_kind_of_its_folder(self, name):
        found = recognise(Document((CORPUS / name).read_bytes()))
        kind = OF_A_FOLDER.get(name.partition("/")[0])
        assert found is None or kind in {None, found.kind}

    @pytest.mark.parametrize("name", FILES or [ABSENT])
    def test_every_adapter_answers_it_or_refuses(self, name):
        for kind in KINDS:
            answer(kind, (CORPUS / name).read_bytes())


class TestEveryCase:
    def test_at_most_one_adapter_takes_it(self, corpus):
        assert corpus
        assert [name for name, data in cases() if len(recognisers(data)) > 1] == []

    def test_every_adapter_answers_it_or_refuses(self, corpus):
        assert corpus
        for _, data in cases():
            for kind in KINDS:
                answer(kind, data)


class TestEveryKind:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_named_as_it_is_registered(self, kind):
        assert adapter(kind).kind == kind

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_page_of_formats_speaks_of_it_and_says_where_it_is_not_official(self, kind):
        page = (Path(__file__).resolve().parents[2] / "docs" / "feeds.md").read_text(encoding="utf-8")
        formats = page.partition("## Formats")[2].partition("\n## ")[0]
        (row,) = [line for line in formats.splitlines() if line.startswith(f"| `{kind}` |")]
        assert ("Not official." in row) == (not adapter(kind).official)


def answer(kind, data):
    """Read a document by any kind: a reading that holds, or a refusal of one line."""
    reading = None
    try:
        reading = adapter(kind).read(Document(data, URL))
    except FeedRefused as refused:
        said = refused.message
    if reading is None:
        assert said
        assert "\n" not in said
    else:
        assert_holds(reading)
