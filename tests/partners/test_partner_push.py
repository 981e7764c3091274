"""A partner pushes alerts and asks what became of them."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from gateway.alerts.model import Alert
from gateway.alerts.write import write
from gateway.partners.reading import LARGEST

from .conftest import ALERTS, CAP, encode, form, problem


async def count(database, table: str) -> int:
    async with database.begin() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


def as_cap(value) -> bytes:
    return write(Alert.model_validate(value))


class TestForms:
    async def test_json_becomes_a_draft_of_the_desk(self, water, database):
        told = await water.pushed()
        assert told["state"] == "drafted"
        assert told["first"] is True
        assert told["alert"]["state"] == "draft"
        assert told["alert"]["hazard"] == "rainstorm"
        assert await count(database, "alerts") == 1

    async def test_a_cap_document_is_kept_as_it_came(self, water, database):
        sent = as_cap(form())
        response = await water.push(sent, kind=CAP)
        assert response.status == 202
        async with database.begin() as connection:
            row = (
                await connection.execute(text("SELECT source, kind, original, is_cap FROM incoming"))
            ).one()
        assert tuple(row) == ("partner.water", "cap", sent, True)

    async def test_cap_inside_of_json_is_the_same_alert(self, water):
        value = form()
        first = await (await water.push(as_cap(value), kind=CAP)).json()
        second = await (await water.push({"cap": as_cap(value).decode()})).json()
        assert second["id"] == first["id"]

    async def test_all_three_forms_of_one_alert_are_one_alert(self, water, database):
        value = form()
        for body, kind in (
            (as_cap(value), CAP),
            (encode({"cap": as_cap(value).decode()}), None),
            (value, None),
        ):
            assert (await water.push(body, **({"kind": kind} if kind else {}))).status == 202
        assert await count(database, "incoming") == 1
        assert await count(database, "partner_pushes") == 1

    async def test_the_corpus_is_taken_or_refused_with_a_sentence(self, water, corpus):
        files = sorted(corpus.rglob("*.xml"))[:60]
        for file in files:
            response = await water.push(file.read_bytes()[:LARGEST], kind=CAP)
            assert response.status in {202, 422, 429}, (file, await response.text())
            if response.status != 202:
                await problem(response)


class TestRefused:
    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (b"", 400, "json_malformed"),
            (b"{", 400, "json_malformed"),
            (b"\xff\xfe{}", 400, "json_malformed"),
            (b"[]", 422, "not_an_alert"),
            (b"{}", 422, "not_an_alert"),
            (b'{"cap":"<alert/>"}', 422, "not_an_alert"),
            (b'{"cap":"x","cap":"y"}', 400, "json_duplicate_key"),
            (b'{"cap":NaN}', 400, "json_not_finite"),
            (b'{"cap":Infinity}', 400, "json_not_finite"),
            (b'{"cap":1e999}', 400, "json_not_finite"),
            (b'{"cap":"\\ud800"}', 400, "json_surrogate"),
            (b'{"cap":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "json_too_deep"),
            (b'{"cap":' + b"9" * 5000 + b"}", 400, "json_not_finite"),
            (encode({"cap": "<?xml version='1.0' encoding='GB18030'?><alert/>"}), 422, "not_an_alert"),
            (encode(form(status="Perhaps")), 422, "not_an_alert"),
            (encode(form(sent="2026-07-01T10:00:00")), 422, "not_an_alert"),
            (encode(form(sender="two words")), 422, "not_an_alert"),
            (encode(form(signatures=["<x/>"])), 422, "not_an_alert"),
            (encode(form(info={"extensions": ["</info><info>"]})), 422, "not_an_alert"),
            (encode(form(info={"description": "\x00"})), 422, "not_an_alert"),
        ],
    )
    async def test_what_is_no_alert_is_refused_with_a_sentence_and_nothing_is_kept(
        self, water, database, body, status, code
    ):
        response = await water.push(body)
        assert (response.status, await problem(response)) == (status, code)
        assert await count(database, "incoming") == 0

    async def test_texts_of_json_cannot_break_out_into_the_markup(self, water, database):
        told = await water.pushed(info={"headline": "</headline><headline>x</headline>"})
        async with database.begin() as connection:
            content = (await connection.execute(text("SELECT content FROM incoming"))).scalar_one()
        assert content["infos"][0]["headline"] == "</headline><headline>x</headline>"
        assert told["id"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Content-Type": "text/xml"}, 415),
            ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
            ({"Content-Encoding": "gzip"}, 415),
            ({"Idempotency-Key": ""}, 400),
            ({"Idempotency-Key": "x" * 129}, 400),
            ({"Idempotency-Key": "with space"}, 400),
        ],
    )
    async def test_headers_that_do_not_fit_are_refused(self, water, database, headers, status):
        response = await water.push(form(), headers=headers)
        assert response.status == status
        await problem(response)
        assert await count(database, "incoming") == 0

    async def test_a_body_that_is_too_large_is_refused(self, water):
        assert (await water.push(b" " * (LARGEST + 1))).status == 413

    @pytest.mark.parametrize(
        "query", ["dry_run=yes", "dry_run=1", "dry_run=", "dryrun=true", "dry_run=true&dry_run=false", "x=1"]
    )
    async def test_an_address_that_is_not_understood_whole_pushes_nothing(self, water, database, query):
        response = await water.push(form(), target=f"{ALERTS}?{query}")
        assert (response.status, await problem(response)) == (400, "query")
        assert await count(database, "incoming") == 0


class TestDryRun:
    async def test_it_says_what_would_become_of_an_alert_and_writes_nothing(self, water, database):
        response = await water.push(form(), target=f"{ALERTS}?dry_run=true")
        assert response.status == 200
        told = await response.json()
        assert told["state"]
        assert told["reason"]
        for table in ("incoming", "alerts", "sightings", "partner_pushes", "partner_requests", "alarms"):
            assert await count(database, table) == 0

    async def test_the_same_request_may_then_be_meant(self, water):
        value = form()
        assert (await water.push(value, target=f"{ALERTS}?dry_run=true", idempotency="one")).status == 200
        assert (await water.push(value, idempotency="one")).status == 202


class TestTold:
    async def test_the_state_of_an_alert_can_be_asked_later(self, water):
        told = await water.pushed()
        response = await water.get(f"/{told['id']}")
        assert response.status == 200
        assert await response.json() == told

    async def test_pages_lead_through_all_alerts_newest_first(self, water):
        made = [(await water.pushed())["id"] for _ in range(5)]
        seen, cursor = [], None
        while True:
            query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = await (await water.get(params=query)).json()
            seen += [one["id"] for one in page["alerts"]]
            if (cursor := page["next"]) is None:
                break
        assert seen == made[::-1]

    async def test_a_partner_sees_nothing_of_another(self, water, partner):
        told = await water.pushed()
        other = await partner("quake")
        for path in ("", "/receipts", "/coverage"):
            response = await other.get(f"/{told['id']}{path}")
            assert (response.status, await problem(response)) == (404, "no_alert")
        assert (await (await other.get()).json())["alerts"] == []

    async def test_whoever_only_repeats_an_alert_is_not_told_what_became_of_it(self, water, partner):
        value = form()
        await water.push(value)
        told = await (await (await partner("quake")).push(value)).json()
        assert (told["first"], told["alert"]) == (False, None)

    @pytest.mark.parametrize("number", ["0", "01", "-1", "x", "9" * 19, "1.0", "١"])
    async def test_a_number_that_none_can_have_is_not_there(self, water, number):
        response = await water.get(f"/{number}")
        assert response.status == 404
        await problem(response)

    async def test_before_a_release_there_are_no_receipts_and_no_coverage(self, water):
        told = await water.pushed()
        answer = await (await water.get(f"/{told['id']}/receipts")).json()
        assert answer["releases"] == []
        response = await water.get(f"/{told['id']}/coverage")
        assert (response.status, await problem(response)) == (404, "not_released")

    async def test_what_is_no_operation_is_a_problem_too(self, water):
        for path, status in (("/api/v1", 404), ("/api/v1/", 404), ("/api/v1/nothing", 404)):
            response = await water.client.get(path)
            assert response.status == status
        response = await water.client.delete(ALERTS)
        assert (response.status, await problem(response)) == (405, "method")
        assert response.headers["Allow"] == "GET,POST"

    async def test_the_security_headers_are_there(self, water):
        response = await water.get()
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert json.loads(await response.text()) == {"alerts": [], "next": None}
