"""A provider's callback against the real server, ledger and database."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from io import BytesIO

import pytest
from sqlalchemy import text

from channels.base import Accepted, Proof
from gateway.coverage import coverage, recount
from gateway.receipts.callback import LARGEST, SIGNATURE, TIMESTAMP, sign
from gateway.receipts.ledger import Attempt
from tests.coverage.build import RELEASED
from tests.web.conftest import CALLBACK, CALLBACK_OLD, CONFIRM

STAMP = str(int(RELEASED.timestamp()))


def body(*receipts: dict[str, str]) -> bytes:
    return json.dumps({"receipts": receipts}).encode()


def signed(content: bytes, key: str = CALLBACK, stamp: str = STAMP, route: str = "sms") -> dict[str, str]:
    return {TIMESTAMP: stamp, SIGNATURE: sign(route, stamp, content, key.encode())}


DELIVERED = body({"ref": "a1", "state": "delivered", "code": "000"})


@pytest.fixture
async def sent(release, ledger):
    """A release of one SMS that the provider took as ``a1``."""
    built = await release(Proof.SUBMITTING)
    now = datetime.now(UTC)
    outcome = Accepted(("a1",))
    attempt = Attempt(built.deliveries[0]["sms"], "sms", 1, 1, 1, now, now, outcome, again=False)
    ledger.record([attempt], lambda: None)
    return built


async def state_of(database, built) -> int:
    async with database.begin() as connection:
        found = await connection.execute(
            text("SELECT state FROM deliveries WHERE release_id = :r"), {"r": built.release}
        )
        return found.scalar_one()


async def count(database, table: str) -> int:
    async with database.begin() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


class TestGenuine:
    async def test_a_report_is_in_the_database_when_204_is_answered(self, client, sent, database):
        response = await client.post("/receipts/sms", data=DELIVERED, headers=signed(DELIVERED))
        assert (response.status, await response.read()) == (204, b"")
        assert await count(database, "receipts") == 1
        assert await state_of(database, sent) == Proof.DELIVERED
        assert (await coverage(database, sent.release)).people.delivered == 1
        assert await recount(database, sent.release) == []

    async def test_doubled_reports_count_once(self, client, sent, database):
        for _ in range(3):
            await client.post("/receipts/sms", data=DELIVERED, headers=signed(DELIVERED))
        assert (await coverage(database, sent.release)).deliveries.delivered == 1
        assert await recount(database, sent.release) == []

    async def test_a_late_claim_of_failure_takes_no_proof_away(self, client, sent, database):
        for state in ("delivered", "rejected", "expired", "unknown", "accepted"):
            content = body({"ref": "a1", "state": state})
            await client.post("/receipts/sms", data=content, headers=signed(content))
        assert await state_of(database, sent) == Proof.DELIVERED

    async def test_a_reference_nobody_knows_is_taken_and_creates_no_delivery(self, client, sent, database):
        content = body({"ref": "guessed", "state": "delivered"})
        response = await client.post("/receipts/sms", data=content, headers=signed(content))
        assert response.status == 204
        assert await count(database, "deliveries") == 1
        assert await count(database, "parked_receipts") == 1
        assert await state_of(database, sent) == Proof.ACCEPTED

    async def test_another_providers_reference_moves_nothing(self, client, sent, database):
        response = await client.post(
            "/receipts/email", data=DELIVERED, headers=signed(DELIVERED, route="email")
        )
        assert response.status == 204
        assert await state_of(database, sent) == Proof.ACCEPTED

    @pytest.mark.parametrize("key", [CALLBACK, CALLBACK_OLD])
    async def test_both_live_keys_are_taken(self, serve, recording, key):
        client = await serve(recording)
        response = await client.post(
            "/receipts/email", data=DELIVERED, headers=signed(DELIVERED, key, route="email")
        )
        assert response.status == 204
        assert [entry[:3] for entry in recording.taken] == [("email", "provider", "live")]

    async def test_the_provider_of_drills_speaks_with_its_own_key_and_of_drills_alone(self, serve, recording):
        client = await serve(recording)
        drill = signed(DELIVERED, CALLBACK_OLD, route="sms.drill")
        assert (await client.post("/receipts/sms.drill", data=DELIVERED, headers=drill)).status == 204
        assert [entry[:3] for entry in recording.taken] == [("sms", "provider", "drill")]
        assert (await client.post("/receipts/sms", data=DELIVERED, headers=drill)).status == 401
        turned = signed(DELIVERED, CALLBACK, route="sms")
        assert (await client.post("/receipts/email", data=DELIVERED, headers=turned)).status == 401
        assert len(recording.taken) == 1

    async def test_what_is_not_durable_in_time_is_a_503_and_not_a_204(self, serve, recording):
        recording.durable = False
        client = await serve(recording, durable_within=0.05)
        response = await client.post("/receipts/sms", data=DELIVERED, headers=signed(DELIVERED))
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"
        recording.waiting[0]()  # durable after all, too late for the answer: nothing breaks
        assert (await client.get("/healthz")).status == 200


class TestRefused:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({TIMESTAMP: STAMP}, 401),
            ({SIGNATURE: "0" * 64, TIMESTAMP: STAMP}, 401),
            (signed(DELIVERED, CONFIRM), 401),
            (signed(DELIVERED, CALLBACK_OLD), 401),
            (signed(DELIVERED + b" "), 401),
            (signed(DELIVERED, stamp=str(int(STAMP) - 301)), 401),
            (signed(DELIVERED, stamp=str(int(STAMP) + 301)), 401),
            ({**signed(DELIVERED), TIMESTAMP: str(int(STAMP) + 1)}, 401),
            ({**signed(DELIVERED), "Content-Encoding": "gzip"}, 415),
        ],
    )
    async def test_a_call_that_is_not_the_providers_reaches_no_sink(self, serve, recording, headers, status):
        client = await serve(recording)
        data = gzip.compress(DELIVERED) if "Content-Encoding" in headers else DELIVERED
        response = await client.post("/receipts/sms", data=data, headers=headers)
        assert response.status == status
        assert "error" in await response.json()
        assert recording.taken == []

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{}",
            b"[" * 100_000,
            body({"ref": "a1", "state": "confirmed"}),
            body({"ref": "a1", "state": "delivered", "delivery": "1"}),
            b'{"receipts":[{"ref":"a1","state":"delivered","at":NaN}]}',
            b'{"receipts":[],"receipts":[{"ref":"a1","state":"delivered"}]}',
        ],
    )
    async def test_a_signed_body_that_is_wrong_is_a_400_that_says_where(self, serve, recording, content):
        client = await serve(recording)
        response = await client.post("/receipts/sms", data=content, headers=signed(content))
        assert response.status == 400
        assert (await response.json())["error"]
        assert recording.taken == []

    async def test_a_channel_without_a_key_takes_no_callbacks(self, serve, recording):
        client = await serve(recording)
        response = await client.post("/receipts/radio", data=DELIVERED, headers=signed(DELIVERED))
        assert response.status == 404

    async def test_a_body_that_is_too_large_is_refused(self, serve, recording):
        content = b" " * (LARGEST + 1)
        client = await serve(recording)
        response = await client.post("/receipts/sms", data=BytesIO(content), headers=signed(content))
        assert response.status == 413
        assert recording.taken == []

    async def test_looking_is_not_posting(self, serve, recording):
        response = await (await serve(recording)).get("/receipts/sms")
        assert response.status == 405
        assert response.headers["Allow"] == "POST"

    async def test_a_flood_of_forgeries_changes_nothing_and_genuine_ones_pass(self, client, sent, database):
        for number in range(300):
            forged = body({"ref": f"a{number}", "state": "delivered"})
            response = await client.post("/receipts/sms", data=forged, headers=signed(forged, CONFIRM))
            assert response.status == 401
        assert await count(database, "receipts") + await count(database, "parked_receipts") == 0
        assert (await client.post("/receipts/sms", data=DELIVERED, headers=signed(DELIVERED))).status == 204
        assert await state_of(database, sent) == Proof.DELIVERED
