from __future__ import annotations

import asyncpg
import pytest
import shapely
from sqlalchemy import text

from gateway.audience import (
    AreaRefused,
    AreaSpec,
    freeze,
    of_region,
    resolve,
    verify_digest,
)
from gateway.audience.freeze import doubled

TOWN = "990101003000"


def ring_of(division):
    return tuple((lat, lon) for lon, lat in shapely.from_wkb(division.geometry).exterior.coords)


def town(county, code=TOWN):
    return next(one for one in county.divisions if one.code == code)


async def run(url, *statements):
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetch(statement) for statement in statements][-1]
    finally:
        await connection.close()


async def targets(database, list_id):
    query = f"SELECT contact_id, region, role, addresses FROM targets WHERE list_id = {list_id} ORDER BY 1"
    return await run(database.url, query)


async def frozen(database, area):
    audience = await resolve(database, area)
    async with database.begin() as connection:
        return await freeze(connection, audience)


class TestByCode:
    async def test_all_contacts_of_the_division_are_meant(self, loaded, county):
        audience = await resolve(loaded, of_region("990101003"))
        expected = [one for one in county.contacts if one.region.startswith("990101003")]
        assert audience.people == len(expected)
        assert audience.per_township == {TOWN: len(expected)}
        assert audience.per_channel["sms"] == sum(1 for one in expected if dict(one.addresses).get("sms"))
        assert sum(audience.per_role.values()) == audience.people
        assert audience.names[TOWN] == "柳溪镇"

    async def test_contacts_that_are_no_longer_active_are_left_out(self, loaded):
        before = await resolve(loaded, of_region("990101003"))
        await run(loaded.url, "UPDATE contacts SET active = false WHERE region = '990101003200'")
        after = await resolve(loaded, of_region("990101003"))
        assert after.people < before.people

    async def test_a_division_without_contacts_is_refused(self, loaded):
        await run(loaded.url, "UPDATE contacts SET active = false")
        with pytest.raises(AreaRefused) as refused:
            await resolve(loaded, of_region("990101"))
        assert refused.value.code == "nobody"

    async def test_an_empty_database_is_refused(self, database):
        with pytest.raises(AreaRefused, match="no regions are loaded"):
            await resolve(database, of_region("990101"))


class TestByShape:
    async def test_residents_go_by_their_own_coordinates_and_posts_by_their_region(self, loaded, county):
        ring = ring_of(town(county))
        shape = shapely.from_wkb(town(county).geometry)
        audience = await resolve(loaded, AreaSpec(polygons=(ring,)))
        expected = {
            one.external_id
            for one in county.contacts
            if (
                shape.intersects(shapely.Point(one.lon, one.lat))
                if one.lon
                else one.region.startswith("990101003")
            )
        }
        async with loaded.begin() as connection:
            sealed = await freeze(connection, audience)
        ids = await run(
            loaded.url,
            "SELECT external_id FROM targets JOIN contacts c ON c.id = contact_id"
            f" WHERE list_id = {sealed.list_id}",
        )
        assert {row[0] for row in ids} == expected

    async def test_a_post_in_the_shape_by_region_counts_wherever_the_person_lives(self, loaded):
        await run(
            loaded.url,
            "UPDATE contacts SET lon = 100, lat = 20 WHERE role = 'responsible' AND region = '990101003200'",
        )
        village = (await run(loaded.url, "SELECT lat, lon FROM regions WHERE code = '990101003200'"))[0]
        audience = await resolve(
            loaded, AreaSpec(circles=((village["lat"], village["lon"], 0.5),)), level="blue"
        )
        assert audience.per_role["responsible"] > 0

    async def test_a_resident_far_away_does_not(self, loaded):
        await run(loaded.url, "UPDATE contacts SET lon = 100, lat = 20 WHERE role = 'resident'")
        village = (await run(loaded.url, "SELECT lat, lon FROM regions WHERE code = '990101003200'"))[0]
        audience = await resolve(
            loaded, AreaSpec(circles=((village["lat"], village["lon"], 0.5),)), level="blue"
        )
        assert "resident" not in audience.per_role

    async def test_nobody_counts_twice_in_a_union(self, loaded, county):
        ring = ring_of(town(county))
        code = await resolve(loaded, of_region("990101003"))
        both = await resolve(loaded, AreaSpec(polygons=(ring, ring), geocodes=(("adcode", "990101003"),)))
        sealed = await frozen(loaded, both.area)
        rows = await targets(loaded, sealed.list_id)
        assert len({row["contact_id"] for row in rows}) == len(rows) == both.people >= code.people

    async def test_the_level_sets_the_share_of_a_township(self, loaded, county):
        west, south, east, north = shapely.from_wkb(town(county).geometry).bounds
        edge = AreaSpec(
            polygons=(((south, west), (south, east), (south + (north - south) / 8, (west + east) / 2)),)
        )
        red = await resolve(loaded, edge, level="red")
        assert TOWN in {hit.code for hit in red.hits}
        try:
            blue = {hit.code for hit in (await resolve(loaded, edge, level="blue")).hits}
        except AreaRefused:
            blue = set()
        assert TOWN not in blue

    async def test_a_spot_that_reaches_nobody_is_refused_with_the_township_to_choose(self, database, county):
        from gateway.audience.county import load_county

        bare = county._replace(
            contacts=(), divisions=tuple(one for one in county.divisions if one.level != "village")
        )
        await load_county(database, bare)
        with pytest.raises(AreaRefused, match=r"Choose a region by its code \(990101003000\)") as refused:
            await resolve(
                database, AreaSpec(circles=((town(county).lat, town(county).lon, 0.1),)), level="blue"
            )
        assert refused.value.code == "nothing"


class TestAFrozenList:
    """W6: the people that were signed are the people that are sent to."""

    async def test_it_holds_everybody_once_with_the_first_address_of_each_channel(self, loaded):
        await run(
            loaded.url,
            "INSERT INTO addresses (contact_id, channel, address)"
            " SELECT contact_id, 'sms', '8619900099999' FROM addresses WHERE channel = 'sms'",
        )
        sealed = await frozen(loaded, of_region("990101003"))
        rows = await targets(loaded, sealed.list_id)
        assert len(rows) == sealed.count == sum(sealed.per_region.values())
        assert not any("8619900099999" in row["addresses"] for row in rows)
        assert sealed.per_channel["sms"] == sum('"sms"' in row["addresses"] for row in rows)

    async def test_its_digest_holds_until_anything_changes(self, loaded):
        sealed = await frozen(loaded, of_region("990101003"))
        async with loaded.begin() as connection:
            assert await verify_digest(connection, sealed.list_id)
        for change in (
            "UPDATE targets SET region = '990101001000'",
            "UPDATE targets SET role = 'device'",
            "UPDATE targets SET language = 'en'",
            'UPDATE targets SET addresses = \'{"sms": "8619900000000"}\'',
            "UPDATE targets SET contact_id = contact_id + 1000000",
            "DELETE FROM targets",
        ):
            one = f"(SELECT min(id) FROM targets WHERE list_id = {sealed.list_id})"
            async with loaded.engine.connect() as connection:
                await connection.execute(text(f"{change} WHERE id = {one}"))
                assert not await verify_digest(connection, sealed.list_id), change
                await connection.rollback()

    async def test_an_added_target_or_another_count_voids_it(self, loaded):
        sealed = await frozen(loaded, of_region("990101003"))
        for change in (
            "INSERT INTO targets VALUES (DEFAULT, :list, 999999, '990101003000', 'resident', 'en', '{}')",
            "UPDATE target_lists SET count = count + 1 WHERE id = :list",
            "UPDATE target_lists SET digest = '' WHERE id = :list",
        ):
            async with loaded.engine.connect() as connection:
                await connection.execute(text(change), {"list": sealed.list_id})
                assert not await verify_digest(connection, sealed.list_id), change
                await connection.rollback()

    async def test_a_list_that_is_not_there_does_not_verify(self, loaded):
        async with loaded.begin() as connection:
            assert not await verify_digest(connection, 4711)

    async def test_equal_audiences_have_equal_digests(self, loaded):
        one, other = [await frozen(loaded, of_region("990101003")) for _ in range(2)]
        assert one.digest == other.digest
        assert one.list_id != other.list_id

    async def test_later_changes_of_contacts_do_not_reach_it(self, loaded):
        sealed = await frozen(loaded, of_region("990101003"))
        await run(loaded.url, "DELETE FROM contacts")
        async with loaded.begin() as connection:
            assert await verify_digest(connection, sealed.list_id)

    async def test_people_without_an_address_are_counted(self, loaded):
        await run(
            loaded.url,
            "DELETE FROM addresses USING contacts c WHERE contact_id = c.id AND region = '990101003200'",
        )
        audience = await resolve(loaded, of_region("990101003"))
        async with loaded.begin() as connection:
            sealed = await freeze(connection, audience)
        assert sealed.unreachable == {"990101003200": audience.unreachable}
        assert audience.unreachable > 0
        assert sealed.count == audience.people

    async def test_addresses_that_several_targets_have_are_counted_by_channel(self, loaded):
        plain = await frozen(loaded, of_region("990101003"))
        people = [row["contact_id"] for row in await targets(loaded, plain.list_id)][:6]
        three, two, one = tuple(people[:3]), tuple(people[3:5]), people[5]
        await run(
            loaded.url,
            f"DELETE FROM addresses WHERE contact_id IN {tuple(people)}",
            "INSERT INTO addresses (contact_id, channel, address)"
            f" SELECT id, 'sms', '8619911110001' FROM contacts WHERE id IN {three}"
            f" UNION ALL SELECT id, 'sms', '8619911110002' FROM contacts WHERE id IN {two}"
            f" UNION ALL SELECT id, 'email', 'a@example.org' FROM contacts WHERE id IN {two}"
            f" UNION ALL SELECT {one}, 'sms', 'a@example.org'",
        )
        sealed = await frozen(loaded, of_region("990101003"))
        async with loaded.begin() as connection:
            before = await doubled(connection, plain.list_id)
            after = await doubled(connection, sealed.list_id)
        assert {channel: after[channel] - before.get(channel, 0) for channel in ("sms", "email")} == {
            "sms": 2,
            "email": 1,
        }

    async def test_a_list_that_reaches_every_address_once_has_no_doubled_one(self, loaded):
        sealed = await frozen(loaded, of_region("990101003"))
        async with loaded.begin() as connection:
            assert await doubled(connection, sealed.list_id) == {}

    async def test_an_audience_of_which_nobody_has_an_address_is_refused(self, loaded):
        await run(loaded.url, "DELETE FROM addresses")
        with pytest.raises(AreaRefused) as refused:
            await frozen(loaded, of_region("990101003"))
        assert refused.value.code == "unreachable"

    async def test_a_refusal_leaves_nothing_behind(self, loaded):
        audience = await resolve(loaded, of_region("990101003"))
        await run(loaded.url, "UPDATE contacts SET active = false")
        with pytest.raises(AreaRefused) as refused:
            async with loaded.begin() as connection:
                await freeze(connection, audience)
        assert refused.value.code == "nobody"
        assert (await run(loaded.url, "SELECT count(*) FROM target_lists"))[0][0] == 0

    async def test_the_area_is_kept_beside_it_with_its_reasons(self, loaded):
        sealed = await frozen(loaded, of_region("990101003"))
        row = (await run(loaded.url, f"SELECT area FROM target_lists WHERE id = {sealed.list_id}"))[0][0]
        assert "geocode 990101003" in row
        assert "柳溪镇" in row
