"""The invented county, as regions in memory and loaded into a database."""

from __future__ import annotations

import pytest
import shapely

from channels.base import AddressRefused, refuse_controls
from gateway.audience.county import load_county, synthetic_county
from gateway.audience.locate import Region
from gateway.store.database import Database


@pytest.fixture(scope="session")
def county():
    return synthetic_county(contacts=1200)


@pytest.fixture(scope="session")
def regions(county):
    return [
        Region(
            one.code, one.name, one.level, one.lon, one.lat, one.geometry and shapely.from_wkb(one.geometry)
        )
        for one in county.divisions
    ]


@pytest.fixture
async def database(database_url):
    async with Database(database_url) as database:
        yield database


@pytest.fixture
async def loaded(database, county):
    """A database with the county in it."""
    await load_county(database, county)
    return database


def _phone(address):
    digits = refuse_controls(address).replace(" ", "").replace("-", "").removeprefix("+86").removeprefix("86")
    if not (digits.isdigit() and len(digits) == 11):
        raise AddressRefused("a mobile number has 11 digits")
    return "86" + digits


def _mail(address):
    if refuse_controls(address).count("@") != 1:
        raise AddressRefused("a mail address has one @")
    return address.lower()


@pytest.fixture
def checks():
    """Address checks as small as can be; the adapters' own have their own tests."""
    return {"sms": _phone, "email": _mail}
