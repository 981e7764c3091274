"""Refusals in plain words, and which answers say what is left of the limit."""

from __future__ import annotations

import pytest

from gateway.partners.reading import read
from gateway.partners.refused import PartnerRefused

from .conftest import ALERTS, CAP, JSON, encode, form, problem

JARGON = ("Input", "Extra inputs", "Value error", "String should", "Field required", "dictionary", "instance")


def area(**changes):
    return form(info={"areas": [{"area_desc": "北山镇"} | changes]})


class TestBodies:
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ([], "the body: it must be an object"),
            ({}, "identifier: it is missing"),
            ({"cap": 3}, "cap: it must be text"),
            ({"cap": ""}, "cap: it must have at least 1 characters"),
            (form(extra=1), "extra: there is no such name here"),
            (form(identifier="a b"), "identifier: it does not have the form that /api/v1/docs gives for it"),
            (form(sent="x"), "sent: must be a time such as 2026-07-01T08:00:00+08:00"),
            (form(sent="2026-13-01T00:00:00Z"), "sent: it must be a time that exists"),
            (form(note="x" * 50_001), "note: it must have at most 50000 characters"),
            (form(infos="x"), "infos: it must be a list"),
            (form(infos=[3]), "infos.0: it must be an object"),
            (form(info={"severity": "purple"}), "infos.0.severity: it must be 'Extreme', 'Severe'"),
            (form(info={"categories": []}), "infos.0.categories: it must have at least 1 entries"),
            (area(circles=[{"lat": "3", "lon": 3, "radius_km": 1}]), "lat: it must be a number"),
            (area(circles=[{"lat": 91, "lon": 3, "radius_km": 1}]), "lat: it must be at most 90"),
            (area(polygons=[[[1, 2]]]), "polygons.0: it must have at least 3 entries"),
        ],
    )
    def test_what_is_wrong_with_the_form_is_said_plainly(self, value, words):
        with pytest.raises(PartnerRefused) as refused:
            read(JSON, encode(value))
        assert words in refused.value.sentence
        assert not any(word in refused.value.sentence for word in JARGON)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"hello", "the file is not XML: it does not begin with < (not_xml)"),
            (b"", "the file is empty (empty)"),
            (b"<html/>", "the root element is not alert (html) (wrong_root)"),
        ],
    )
    def test_a_document_is_refused_in_words_before_the_code(self, body, words):
        with pytest.raises(PartnerRefused) as refused:
            read(CAP, body)
        assert refused.value.sentence == words


class TestAddresses:
    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("limit=0", "'limit' in the address: it must be at least 1"),
            ("limit=101", "'limit' in the address: it must be at most 100"),
            ("limit=x", "'limit' in the address: it must be a whole number"),
            ("cursor=x", "'cursor' in the address: it does not have the form"),
            ("page=2", "'page' in the address: there is no such name here; known: limit, cursor"),
        ],
    )
    async def test_a_wrong_question_is_told_plainly(self, water, query, words):
        detail = (await (await water.get(f"?{query}")).json())["detail"]
        assert words in detail

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("dryrun=true", "'dryrun' in the address: there is no such name here; known: dry_run"),
            ("dry_run=1", "'dry_run' in the address: it must be true or false"),
        ],
    )
    async def test_a_misspelt_dry_run_is_told_plainly(self, water, query, words):
        response = await water.push(form(), target=f"{ALERTS}?{query}")
        assert (await response.json())["detail"] == words


class TestWhatIsLeft:
    async def test_a_refused_address_counts_and_says_what_is_left(self, water):
        response = await water.get("?page=2")
        assert await problem(response) == "query"
        assert response.headers["RateLimit"] == '"read";r=599;t=60'

    async def test_a_key_without_the_scope_is_told_what_is_left(self, partner):
        response = await (await partner(scopes=("push",))).get()
        assert await problem(response) == "scope"
        assert response.headers["RateLimit"] == '"read";r=599;t=60'

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml"])
    async def test_what_is_refused_unread_does_not_count(self, water, kind):
        response = await water.push(b"x", kind=kind)
        assert (response.status, "RateLimit" in response.headers) == (415, False)
        counted = await water.push(form())
        assert counted.headers["RateLimit"] == '"push";r=4999;t=60'
