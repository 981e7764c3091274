"""A desk whose people have accounts; everybody and every password is invented."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyotp
import pytest

from gateway.accounts.enrolment import enrol
from gateway.accounts.proving import Spent, prove
from gateway.accounts.sealing import Sealing
from gateway.accounts.sessions import Origin
from gateway.accounts.settings import Limits
from gateway.accounts.signing_in import Attempt, Opened, sign_in
from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.store.database import Database
from gateway.store.desk import Person
from tests.desk.conftest import START, make_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.store.accounts import SessionRow

PASSWORD = "invented teapot over marsh"
KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # invented
HERE, THERE = Origin("203.0.113.7", "invented browser"), Origin("198.51.100.9", "another browser")
LIMITS = Limits()
PEOPLE = {"author": ("author",), "first": ("approver",), "admin": ("administrator",)}


class Accounts:
    """What the tests do at the desk's door."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database, self.clock = database, clock
        self.policy = make_office().policy
        self.desk = Desk(database, clock, make_office())
        self.sealing = Sealing(b"an invented key of the desk's door")

    def code(self, key: str = KEY) -> str:
        return pyotp.TOTP(key).at(self.clock.now())

    async def add(self, login: str, password: str = PASSWORD, key: str = KEY) -> None:
        async with self.database.begin() as connection:
            await enrol(connection, self.sealing, login, password, key, self.clock.now())

    async def prove(self, row: SessionRow, code: str) -> Spent:
        return await prove(self.database, self.sealing, row, code, self.clock.now())

    async def enter(
        self, login="author", password=PASSWORD, code=None, origin=HERE, token="", limits=LIMITS
    ) -> Opened:
        attempt = Attempt(login, password, self.code() if code is None else code)
        return await sign_in(
            self.database, self.policy, self.sealing, attempt, origin, self.clock.now(), limits, token=token
        )


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=12) as opened:
        yield opened


@pytest.fixture
async def door(database: Database, clock: HandClock) -> Accounts:
    made = Accounts(database, clock)
    for login, roles in PEOPLE.items():
        await made.desk.set_person(Person(login, f"虚构 {login}", roles, active=True))
        await made.add(login)
    return made
