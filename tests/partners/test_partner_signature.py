"""S8: requests that are not exactly what the partner signed, within 300 s, once."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from datetime import timedelta

import aiohttp
import pytest
from multidict import CIMultiDict
from sqlalchemy import text
from standardwebhooks import Webhook

from gateway.web.api import app as api
from gateway.webhook_signature import ID, SIGNATURE, TIMESTAMP

from .conftest import ALERTS, JSON, encode, form, problem


async def taken(database) -> int:
    async with database.begin() as connection:
        return (await connection.execute(text("SELECT count(*) FROM incoming"))).scalar_one()


class TestGenuine:
    @pytest.mark.parametrize("off", [-300, -299, 0, 299, 300])
    async def test_a_clock_may_be_300_s_off(self, water, clock, off):
        assert (await water.push(form(), at=clock.now() + timedelta(seconds=off))).status == 202

    async def test_a_library_of_the_standard_makes_the_signature(self, water, clock):
        body = encode(form())
        signed = Webhook(water.key.secret).sign(
            "try-of-library", clock.now(), f"POST {ALERTS}\n{body.decode()}"
        )
        response = await water.push(body, nonce="try-of-library", headers={SIGNATURE: signed})
        assert response.status == 202

    async def test_whoever_need_not_sign_may_leave_it(self, partner):
        one = await partner("quake")
        headers = {"Authorization": f"Bearer {one.key.text}", "Idempotency-Key": "one", "Content-Type": JSON}
        assert (await one.client.post(ALERTS, data=encode(form()), headers=headers)).status == 202
        wrong = headers | {SIGNATURE: "v1,AAAA"}
        assert (await one.client.post(ALERTS, data=encode(form()), headers=wrong)).status == 401


class TestForged:
    @pytest.mark.parametrize("off", [-301, 301, -86400])
    async def test_a_request_that_is_too_old_or_from_ahead_is_refused(self, water, clock, database, off):
        response = await water.push(form(), at=clock.now() + timedelta(seconds=off))
        assert (response.status, await problem(response)) == (401, "signature")
        assert await taken(database) == 0

    @pytest.mark.parametrize("missing", [ID, TIMESTAMP, SIGNATURE])
    async def test_each_header_is_needed(self, water, database, missing):
        response = await water.push(form(), headers={missing: ""})
        assert response.status == 401
        assert await taken(database) == 0

    async def test_another_secret_body_path_query_id_or_time_is_refused(self, water, clock, database):
        body = encode(form())
        signed = water.headers("POST", ALERTS, body)
        plain = {"Content-Type": JSON, "Idempotency-Key": "one"}
        later = {TIMESTAMP: str(int(signed[TIMESTAMP]) + 1)}
        foreign = "whsec_" + base64.b64encode(b"an invented secret, 32 bytes lng").decode()
        tries = [
            (ALERTS, body + b" ", signed),
            (ALERTS, body[:-1], signed),
            (f"{ALERTS}?dry_run=false", body, signed),
            ("/api/v1/%61lerts", body, signed),
            (ALERTS, body, signed | {ID: "another"}),
            (ALERTS, body, signed | later),
            (ALERTS, body, water.headers("POST", f"{ALERTS}?dry_run=true", body)),
            (ALERTS, body, water.headers("PUT", ALERTS, body)),
            (ALERTS, body, water.headers("POST", ALERTS, body, secret=foreign)),
            (ALERTS, body, signed | {SIGNATURE: "v1a," + signed[SIGNATURE][3:]}),
            (ALERTS, body, signed | {SIGNATURE: signed[SIGNATURE][3:]}),
        ]
        for target, data, headers in tries:
            where = aiohttp.client.URL(str(water.client.make_url("/")).rstrip("/") + target, encoded=True)
            response = await water.client.session.post(where, data=data, headers=plain | headers)
            assert response.status in {401, 429}, target
        assert await taken(database) == 0
        clock.advance(60)
        assert (await water.client.post(ALERTS, data=body, headers=plain | signed)).status == 202

    async def test_a_signature_over_the_bare_body_does_not_fit(self, water, clock):
        body = encode(form())
        bare = Webhook(water.key.secret).sign("bare", clock.now(), body.decode())
        assert (await water.push(body, nonce="bare", headers={SIGNATURE: bare})).status == 401

    async def test_a_dry_run_cannot_be_turned_into_a_real_one(self, water, database):
        body = encode(form())
        headers = water.headers("POST", f"{ALERTS}?dry_run=true", body)
        headers |= {"Content-Type": JSON, "Idempotency-Key": "one"}
        assert (await water.client.post(ALERTS, data=body, headers=headers)).status == 401
        assert await taken(database) == 0

    @pytest.mark.parametrize("name", [ID, TIMESTAMP, SIGNATURE, "Idempotency-Key"])
    async def test_a_header_that_comes_twice_is_refused(self, water, database, name):
        body = encode(form())
        headers = CIMultiDict(water.headers("POST", ALERTS, body))
        headers.extend({"Content-Type": JSON, "Idempotency-Key": "one"})
        headers.add(name, headers[name])
        response = await water.client.post(ALERTS, data=body, headers=headers)
        assert response.status in {400, 401}
        assert await taken(database) == 0

    async def test_two_lengths_or_two_framings_are_refused(self, water, database):
        body = encode(form())
        for extra in (f"Content-Length: {len(body) + 1}", "Content-Length: 0", "Transfer-Encoding: chunked"):
            signed = water.headers("POST", ALERTS, body) | {"Content-Type": JSON, "Idempotency-Key": "one"}
            lines = [f"POST {ALERTS} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", extra]
            lines += [f"{name}: {value}" for name, value in signed.items()]
            answer = await raw(water, "\r\n".join([*lines, "", ""]).encode() + body)
            assert b" 400 " in answer, extra
        assert await taken(database) == 0

    async def test_a_body_that_does_not_arrive_is_not_waited_for(self, water, monkeypatch):
        monkeypatch.setattr(api, "BODY_WITHIN", 0.05)
        signed = water.headers("POST", ALERTS, b"{}") | {"Content-Type": JSON, "Idempotency-Key": "one"}
        lines = [f"POST {ALERTS} HTTP/1.1", "Host: localhost", "Content-Length: 100"]
        lines += [f"{name}: {value}" for name, value in signed.items()]
        answer = await raw(water, "\r\n".join([*lines, "", ""]).encode() + b"{")
        assert answer.startswith(b"HTTP/1.1 408")


async def raw(water, data: bytes) -> bytes:
    where = water.client.make_url("/")
    reader, writer = await asyncio.open_connection(where.host, where.port)
    writer.write(data)
    answer = await reader.readuntil(b"\r\n")
    writer.close()
    await writer.wait_closed()
    return answer


class TestReplay:
    async def test_the_same_request_a_thousand_times_at_once_is_taken_once(self, water, database):
        body = encode(form())
        headers = water.headers("POST", ALERTS, body) | {"Content-Type": JSON, "Idempotency-Key": "one"}

        async def go() -> int:
            async with water.client.session.post(
                water.client.make_url(ALERTS), data=body, headers=headers
            ) as response:
                return response.status

        told = Counter(await asyncio.gather(*(go() for _ in range(1000))))
        assert told[202] == 1
        assert set(told) <= {202, 401, 429}
        assert await taken(database) == 1

    async def test_a_replay_spends_nothing_of_the_partners_limit(self, water, redis, clock):
        body = encode(form())
        headers = water.headers("POST", ALERTS, body) | {"Content-Type": JSON, "Idempotency-Key": "one"}
        for _ in range(20):
            await water.client.post(ALERTS, data=body, headers=headers)
        (key,) = [key async for key in redis.scan_iter("tongda:partner:push:*")]
        assert int(await redis.get(key)) == 1

    async def test_a_nonce_is_kept_for_longer_than_its_timestamp_holds(self, water, database, clock):
        body = encode(form())
        headers = water.headers("POST", ALERTS, body, at=clock.now() + timedelta(seconds=300))
        headers |= {"Content-Type": JSON, "Idempotency-Key": "one"}
        assert (await water.client.post(ALERTS, data=body, headers=headers)).status == 202
        clock.advance(600)
        response = await water.client.post(ALERTS, data=body, headers=headers)
        assert (response.status, await problem(response)) == (401, "replayed")

    async def test_old_nonces_are_cleared_away(self, water, database, clock):
        for _ in range(3):
            await water.pushed()
        clock.advance(601)
        await water.push(form(sent=clock.now().isoformat()))
        async with database.begin() as connection:
            left = (await connection.execute(text("SELECT count(*) FROM partner_nonces"))).scalar_one()
        assert left == 1

    async def test_the_nonces_of_two_keys_are_apart(self, water, partner):
        other = await partner("quake")
        assert (await water.push(form(), nonce="same")).status == 202
        assert (await other.push(form(), nonce="same")).status == 202


class TestStrangers:
    async def test_an_address_that_fails_too_often_is_told_to_wait_and_partners_still_pass(self, water):
        told = Counter()
        for _ in range(40):
            response = await water.client.post(ALERTS, data=b"{}", headers={"Authorization": "Bearer x"})
            told[response.status] += 1
        assert told == {401: 30, 429: 10}
        assert int(response.headers["Retry-After"]) > 0
        assert (await water.push(form())).status == 202

    async def test_nothing_of_the_body_is_read_before_the_key_holds(self, water):
        lines = [
            f"POST {ALERTS} HTTP/1.1",
            "Host: localhost",
            "Content-Length: 1000",
            f"Content-Type: {JSON}",
        ]
        answer = await raw(water, "\r\n".join([*lines, "", ""]).encode())
        assert answer.startswith(b"HTTP/1.1 401")

    async def test_json_that_two_readers_could_read_in_two_ways_is_refused(self, water, database):
        good = json.dumps(form())
        for bad in (
            good[:-1] + ',"sender":"another@example.org"}',
            good.replace('"Moderate"', "NaN"),
            good.replace("暴雨", "\\ud800").replace("\\u66b4", "\\ud800"),
            good[:-1] + ',"codes":' + "[" * 70 + "]" * 70 + "}",
        ):
            assert (await water.push(bad.encode())).status in {400, 422}
        assert await taken(database) == 0
