from __future__ import annotations

import asyncpg
import orjson

from gateway.desk.leaving import in_order
from gateway.dispatch.plan import text_keys

SPOKEN = {
    "zh-CN": {"text": "甲"},
    "zh-CN+confirm": {"text": "乙"},
    "bo": {"text": "丙"},
    "en-US": {"text": "丁"},
}


async def test_who_wants_a_language_that_is_not_spoken_gets_the_alerts_first(postgres_url):
    connection = await asyncpg.connect(postgres_url)
    stored = orjson.loads(
        await connection.fetchval("SELECT $1::jsonb::text", orjson.dumps({"sms": SPOKEN}).decode())
    )
    await connection.close()
    assert next(iter(stored["sms"])) == "bo", "the database orders keys by its own rule"
    texts = in_order(stored, ["zh-CN", "bo", "en-US"])
    assert texts["sms"] == SPOKEN
    assert text_keys(list(texts["sms"]), ["ug"]) == [("ug", False, "zh-CN"), ("ug", True, "zh-CN+confirm")]
