"""How long a list of 1,000,000 contacts takes, from the area to the sealed digest.

Run: pytest -m benchmark -s tests/benchmarks/audience_resolve.py
"""

from __future__ import annotations

import time

import asyncpg
import pytest
import shapely

from gateway.audience import AreaSpec, freeze, of_region, resolve, verify_digest
from gateway.audience.county import load_county, synthetic_county
from gateway.store.database import Database

pytestmark = pytest.mark.benchmark

PEOPLE = 1_000_000

FILL = (
    """
    INSERT INTO contacts (name, region, role, language, lon, lat)
    SELECT '演练丙' || n, v.code, CASE WHEN n % 33 = 0 THEN 'responsible' ELSE 'resident' END, 'zh-CN',
           CASE WHEN n % 10 < 7 THEN v.lon END, CASE WHEN n % 10 < 7 THEN v.lat END
    FROM generate_series(1, 1000000) AS n
    JOIN (SELECT code, lon, lat, row_number() OVER (ORDER BY code) - 1 AS place, count(*) OVER () AS many
          FROM regions WHERE level = 'village') AS v ON v.place = n % v.many
    """,
    """
    INSERT INTO addresses (contact_id, channel, address)
    SELECT id, 'sms', '86199' || lpad(id::text, 8, '0') FROM contacts ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO addresses (contact_id, channel, address)
    SELECT id, 'email', 'yanlian' || id || '@example.org' FROM contacts WHERE id % 3 = 0
    ON CONFLICT DO NOTHING
    """,
    "VACUUM ANALYZE contacts",
    "VACUUM ANALYZE addresses",
)


def whole_county(county):
    outline = shapely.from_wkb(county.divisions[0].geometry).buffer(0.05)
    return AreaSpec(polygons=(tuple((lat, lon) for lon, lat in outline.exterior.coords),))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["code", "polygon"])
async def test_it_freezes_1_000_000_contacts(kind, database_url):
    county = synthetic_county(contacts=1)
    area = of_region("990101") if kind == "code" else whole_county(county)
    async with Database(database_url) as database:
        await load_county(database, county)
        connection = await asyncpg.connect(database_url)
        for statement in FILL:
            await connection.execute(statement)
        await connection.close()
        begun = time.perf_counter()
        audience = await resolve(database, area)
        resolved = time.perf_counter()
        async with database.begin() as transaction:
            frozen = await freeze(transaction, audience)
        ended = time.perf_counter()
        async with database.begin() as transaction:
            assert await verify_digest(transaction, frozen.list_id)
        verified = time.perf_counter()
        assert frozen.count == audience.people >= PEOPLE
    parts = f"resolve {resolved - begun:.1f} + freeze {ended - resolved:.1f}"
    took = f"{parts}; verify {verified - ended:.1f}"
    print(f"\n{kind}: {ended - begun:.1f} s = {took}")  # noqa: T201 - what it is for
