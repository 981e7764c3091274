"""Whatever the bytes are, an adapter answers or refuses; it never fails in another way."""

from __future__ import annotations

import contextlib
import re
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.feeds.adapters import KINDS, adapter, recognise
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from tests.feeds.contract import URL, assert_holds

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
SMALL = 12_000
"""Bytes; larger samples are slow to change so often."""
MOST = 8
"""Samples of a kind."""
SOME = settings(max_examples=60)
JSON_VALUE = re.compile(rb'(?<=:)\s*(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)')
XML_TEXT = re.compile(rb">[^<>]+<")
VALUES = [
    *(b"null", b"true", b"0", b"-1", b"1e400", b"NaN", b"99999999999999999999999", b"-0.0", b"1e-400"),
    *(b'""', b'"\\ud800"', b'"\\u0000"', b'"\xe6\x9a\xb4"', b"[]", b"{}", b"[null]", b'{"a":[]}', b"[[[1]]]"),
    *(
        b'"9999-12-31T23:59:59+14:00"',
        b'"0001-01-01T00:00:00Z"',
        b'"2026-02-30 25:61:61"',
        b"253402300800000",
    ),
]
TEXTS = [
    *(b"", b" ", b"NaN", b"-inf", b"1e999", b"-", b"&#0;", b"&amp;", b"<x/>", b"<![CDATA[<alert>]]>"),
    *(b"9999-12-31T23:59:59+14:00", b"0001-01-01T00:00:00Z", b"2026-02-30T25:61:61+99:99", b"+91.0+181.0-1/"),
    *(b"\xef\xbf\xbd", "０".encode(), "１２３".encode(), b"9" * 400, b"Actual", b"not existing"),
]


def samples():
    """Return kind -> some of its samples: those of the corpus that it takes, the smallest first."""
    found = {kind: [] for kind in KINDS}
    for path in sorted(CORPUS.glob("*/*"), key=lambda one: (one.stat().st_size, one.name)):
        data = path.read_bytes()
        taker = recognise(Document(data)) if len(data) <= SMALL else None
        if taker and len(found[taker.kind]) < MOST:
            found[taker.kind].append(data)
    return {kind: own or list(chain(*found.values()))[::9] for kind, own in found.items()}


@pytest.fixture(scope="module")
def of_kind(corpus):
    assert corpus
    return samples()


def flipped(data, draw):
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        changed[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(changed)


def cut(data, draw):
    return data[: draw(st.integers(0, len(data)))] + data[draw(st.integers(0, len(data))) :]


def doubled(data, draw):
    at = draw(st.integers(0, len(data)))
    return data[:at] + data[draw(st.integers(0, at)) : draw(st.integers(at, len(data)))] + data[at:]


def swapped(data, draw):
    """Put other values where the values are: of JSON, of XML, or fields of a line."""
    pattern = JSON_VALUE if data.lstrip()[:1] in {b"{", b"["} else XML_TEXT
    for _ in range(draw(st.integers(1, 4))):
        places = list(pattern.finditer(data))
        if not places:
            fields = data.split(b"|")
            fields[draw(st.integers(0, len(fields) - 1))] = draw(st.sampled_from(TEXTS))
            data = b"|".join(fields)
            continue
        place = draw(st.sampled_from(places))
        inside = (
            draw(st.sampled_from(VALUES))
            if pattern is JSON_VALUE
            else b">" + draw(st.sampled_from(TEXTS)) + b"<"
        )
        data = data[: place.start()] + inside + data[place.end() :]
    return data


def answers(kind, data):
    document = Document(data, URL)
    adapter(kind).recognises(document)
    with contextlib.suppress(FeedRefused):
        assert_holds(adapter(kind).read(document))


@pytest.mark.parametrize("change", [flipped, cut, doubled, swapped], ids=lambda one: one.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_sample_is_answered_or_refused(kind, change, of_kind):
    @SOME
    @given(st.data())
    def changed(data):
        answers(kind, change(data.draw(st.sampled_from(of_kind[kind])), data.draw))

    changed()


@pytest.mark.parametrize("kind", KINDS)
def test_any_bytes_are_answered_or_refused(kind):
    start = st.sampled_from(
        [b"", b"<", b"<?xml version='1.0'?><", b"{", b"[", b"PK\x03\x04", b"#", b"\xff\xfe"]
    )

    @SOME
    @given(start, st.binary(max_size=200))
    def any_bytes(begin, rest):
        answers(kind, begin + rest)

    any_bytes()
