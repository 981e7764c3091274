"""From a one-time code to an account, and what people change in their own."""

from __future__ import annotations

import asyncio

import pyotp
import pytest

from gateway.accounts import enrolment, invitations, own, proving, sessions
from gateway.accounts.enrolment import Given
from gateway.accounts.sealing import Owner
from gateway.accounts.settings import Limits
from gateway.desk.people import put
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import SYSTEM, step
from gateway.store import accounts as store
from gateway.store import audit, desk
from gateway.store.desk import Person
from tests.accounts.conftest import HERE, KEY, PASSWORD, THERE, Accounts
from tests.accounts.test_signing_in import refusal

GOOD = "another invented ladder, moon"
DESK = "示范县预警信息发布中心"


@pytest.fixture
async def empty(database, clock) -> Accounts:
    """A desk where nobody can sign in."""
    return Accounts(database, clock)


class Newcomer:
    """Somebody with a one-time code."""

    def __init__(self, door: Accounts, code: str) -> None:
        self.door, self.code = door, code

    async def begin(self, login="", name="", password=GOOD):
        door = self.door
        given = Given(password, login, name)
        return await enrolment.begin(
            door.database, door.policy, door.sealing, self.code, given, door.clock.now(), DESK
        )

    async def finish(self, digits: str, origin=HERE):
        door = self.door
        return await enrolment.complete(
            door.database, door.policy, door.sealing, self.code, digits, origin, door.clock.now(), Limits()
        )


async def invite(door: Accounts, login: str, purpose: str, by: str = "admin") -> Newcomer:
    async with step(door.database, by, door.clock.now(), door.policy) as one:
        return Newcomer(door, await invitations.invite(one, login, purpose))


class TestTheFirstAdministrator:
    async def test_there_is_a_code_while_nobody_can_sign_in(self, empty, door):
        assert await invitations.first_code(door.database, door.clock.now()) is None

    async def test_it_makes_an_administrator_and_nothing_more(self, empty):
        newcomer = Newcomer(empty, await invitations.first_code(empty.database, empty.clock.now()))
        begun = await newcomer.begin("li.ming", "虚构 李明")
        opened = await newcomer.finish(empty.code(begun.totp_key))
        row = await sessions.find(empty.database, opened.token, empty.clock.now())
        assert (row.person.login, row.person.roles) == ("li.ming", ("administrator",))
        async with empty.database.begin() as connection:
            assert (await audit.verify(connection)).broken_at is None
        assert await invitations.first_code(empty.database, empty.clock.now()) is None

    async def test_before_the_first_right_code_there_is_no_person_and_no_account(self, empty):
        newcomer = Newcomer(empty, await invitations.first_code(empty.database, empty.clock.now()))
        await newcomer.begin("li.ming", "虚构 李明")
        assert await refusal(newcomer.finish("000000")) == "code"
        async with empty.database.begin() as connection:
            assert await desk.list_people(connection) == []
            assert not await store.any_account(connection)

    async def test_of_two_codes_at_once_one_makes_the_first(self, empty):
        both = [
            Newcomer(empty, await invitations.first_code(empty.database, empty.clock.now())) for _ in range(2)
        ]
        begun = [await one.begin(f"person{n}", "虚构") for n, one in enumerate(both)]
        came = await asyncio.gather(
            *(one.finish(empty.code(e.totp_key)) for one, e in zip(both, begun, strict=True)),
            return_exceptions=True,
        )
        assert sorted(getattr(one, "code", "in") for one in came) == ["in", "no_code"]
        async with empty.database.begin() as connection:
            assert len(await desk.list_people(connection)) == 1

    async def test_it_holds_for_half_an_hour(self, empty):
        newcomer = Newcomer(empty, await invitations.first_code(empty.database, empty.clock.now()))
        empty.clock.advance(30 * 60)
        assert await refusal(newcomer.begin("li.ming", "虚构")) == "no_code"

    async def test_it_takes_nobodys_place(self, empty):
        await empty.desk.set_person(Person("author", "虚构", ("author",), active=True))
        newcomer = Newcomer(empty, await invitations.first_code(empty.database, empty.clock.now()))
        assert await refusal(newcomer.begin("author", "虚构")) == "login_taken"
        assert await refusal(newcomer.begin("AUTHOR", "虚构")) == "login_taken"
        assert await refusal(newcomer.begin("a b", "虚构")) == "login"
        assert await refusal(newcomer.begin("li.ming", "")) == "name"
        assert await refusal(newcomer.begin("li.ming", "虚构", "password1234")) == "password_guessed"


class TestInvitations:
    async def test_an_invited_person_sets_password_and_second_factor(self, door):
        await door.desk.set_person(Person("late", "虚构 后来", ("author",), active=True))
        newcomer = await invite(door, "late", "invite")
        begun = await newcomer.begin()
        assert (begun.login, begun.name) == ("late", "虚构 后来")
        await newcomer.finish(door.code(begun.totp_key))
        door.clock.advance(30)
        assert (await door.enter("late", GOOD, door.code(begun.totp_key))).login == "late"

    async def test_small_letters_and_blanks_make_no_difference(self, door):
        newcomer = await invite(door, "author", "reset")
        newcomer.code = f" {newcomer.code.lower().replace('-', ' ')} "
        assert (await newcomer.begin()).login == "author"

    async def test_a_code_is_good_once_for_a_day_and_only_the_latest(self, door):
        earlier = await invite(door, "author", "reset")
        latest = await invite(door, "author", "reset")
        assert await refusal(earlier.begin()) == "no_code"
        begun = await latest.begin()
        digits = door.code(begun.totp_key)
        came = await asyncio.gather(*(latest.finish(digits) for _ in range(5)), return_exceptions=True)
        assert sum(not isinstance(one, DeskRefused) for one in came) == 1
        stale = await invite(door, "author", "reset")
        door.clock.advance(24 * 3600)
        assert await refusal(stale.begin()) == "no_code"

    async def test_a_reset_ends_sessions_and_what_counted_before(self, door):
        opened = await door.enter()
        newcomer = await invite(door, "author", "reset")
        begun = await newcomer.begin()
        assert await sessions.find(door.database, opened.token, door.clock.now())
        await newcomer.finish(door.code(begun.totp_key))
        assert await sessions.find(door.database, opened.token, door.clock.now()) is None
        door.clock.advance(30)
        assert await refusal(door.enter()) == "sign_in"

    async def test_only_an_administrator_or_the_server_gives_one(self, door):
        with pytest.raises(DeskRefused, match="administrator"):
            await invite(door, "author", "reset", by="first")
        await invite(door, "author", "reset", by=SYSTEM)

    async def test_each_purpose_has_its_time(self, door):
        await door.desk.set_person(Person("late", "虚构", ("author",), active=True))
        await door.desk.set_person(Person("gone", "虚构", ("author",), active=False))
        assert await refusal(invite(door, "author", "invite")) == "has_account"
        assert await refusal(invite(door, "late", "reset")) == "no_account"
        assert await refusal(invite(door, "gone", "invite")) == "no_person"
        assert await refusal(invite(door, "nobody", "invite")) == "no_person"

    @pytest.mark.parametrize("login", ["source.weather", "partner.rivers"])
    async def test_a_source_or_partner_gets_none(self, door, login):
        await door.desk.set_person(Person(login, "虚构来源", ("author",), active=True))
        assert await refusal(invite(door, login, "invite")) == "machine"

    async def test_nobody_is_added_under_the_login_of_one(self, door):
        async with step(door.database, "admin", door.clock.now(), door.policy) as one:
            assert (
                await refusal(put(one, Person("source.weather", "虚构", ("author",), active=True)))
                == "machine"
            )

    async def test_who_is_out_meanwhile_does_not_come_in_by_it(self, door):
        newcomer = await invite(door, "author", "reset")
        await door.desk.set_person(Person("author", "虚构", ("author",), active=False))
        assert await refusal(newcomer.begin()) == "no_code"

    async def test_the_database_keeps_neither_code_nor_password(self, door):
        newcomer = await invite(door, "author", "reset")
        await newcomer.begin()
        async with door.database.raw() as connection:
            rows = await connection.fetch("SELECT invitations::text AS it FROM invitations")
            said = await connection.fetch("SELECT detail AS it FROM audit")
        assert not any(s in row["it"] for row in (*rows, *said) for s in (newcomer.code, GOOD))

    async def test_guessing_codes_is_slowed_down(self, door):
        async def look(code: str):
            return await enrolment.look(
                door.database, door.policy, door.sealing, code, THERE, door.clock.now()
            )

        came = [await refusal(look(f"AAAAA-{n}")) for n in range(50)]
        assert came.count("no_code") <= 10


class TestOneself:
    async def session(self, door):
        opened = await door.enter()
        door.clock.advance(30)
        return await sessions.find(door.database, opened.token, door.clock.now())

    async def change(self, door, row, current=PASSWORD, chosen=GOOD, code=None):
        code = door.code() if code is None else code
        await own.change_password(
            door.database,
            door.policy,
            door.sealing,
            row,
            current,
            chosen,
            code,
            door.clock.now(),
            desk_name=DESK,
        )

    async def test_a_new_password_takes_the_old_one_and_a_code(self, door):
        row = await self.session(door)
        assert await refusal(self.change(door, row, current="wrong")) == "password"
        assert await refusal(self.change(door, row, code="000000")) == "code"
        assert await refusal(self.change(door, row, chosen="author-author")) == "password_guessed"
        door.clock.advance(30)
        other = await door.enter()
        door.clock.advance(30)
        await self.change(door, row)
        assert await sessions.find(door.database, other.token, door.clock.now()) is None
        door.clock.advance(30)
        assert await refusal(door.enter()) == "sign_in"
        await door.enter(password=GOOD)

    async def test_a_new_second_factor_counts_once_a_code_confirms_it(self, door):
        row = await self.session(door)
        await own.offer_factor(door.database, door.sealing, "author", door.clock.now())
        key = own.offered_key(door.sealing, await own.account(door.database, "author"))
        assert key not in (None, KEY)

        async def confirm(code: str) -> None:
            await own.confirm_factor(door.database, door.policy, door.sealing, row, code, door.clock.now())

        assert await refusal(confirm(door.code())) == "code"
        await confirm(pyotp.TOTP(key).at(door.clock.now()))
        assert await refusal(confirm("000000")) == "no_offer"
        door.clock.advance(30)
        assert await refusal(door.enter()) == "sign_in"
        await door.enter(code=door.code(key))

    async def test_a_code_is_proof_once(self, door):
        row = await self.session(door)
        code = door.code()
        came = await asyncio.gather(
            *(door.prove(row, code) for _ in range(3)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, proving.Spent) for one in came) == 1

    async def test_a_code_that_is_given_back_is_proof_once_more_also_when_raced(self, door):
        row, code = await self.session(door), door.code()
        spent = await door.prove(row, code)
        assert await refusal(door.prove(row, code)) == "code"
        await proving.give_back(door.database, spent)
        came = await asyncio.gather(*(door.prove(row, code) for _ in range(3)), return_exceptions=True)
        assert sum(isinstance(one, proving.Spent) for one in came) == 1
        assert await refusal(door.prove(row, code)) == "code"

    async def test_a_code_that_is_given_back_brings_none_before_it_back(self, door):
        row, code = await self.session(door), door.code()
        await door.prove(row, code)
        door.clock.advance(30)
        later = await door.prove(row, door.code())
        await proving.give_back(door.database, later)
        assert await refusal(door.prove(row, code)) == "code"

    async def test_a_code_is_not_given_back_once_a_later_one_was_used(self, door):
        row, code = await self.session(door), door.code()
        spent = await door.prove(row, code)
        door.clock.advance(30)
        await door.prove(row, door.code())
        await proving.give_back(door.database, spent)
        for used in (code, door.code()):
            assert await refusal(door.prove(row, used)) == "code"

    async def test_a_code_that_is_given_back_brings_none_of_another_factor_back(self, door):
        row = await self.session(door)
        spent = await door.prove(row, door.code())
        key = pyotp.random_base32()
        sealed = door.sealing.seal(key, Owner("account", "author"))
        async with door.database.raw() as connection:
            await connection.execute("UPDATE accounts SET totp_key = $1 WHERE login = 'author'", sealed)
        code = door.code(key)
        await proving.give_back(door.database, spent)
        assert await refusal(door.prove(row, code)) == "code"

    async def test_guesses_at_it_are_slowed_in_this_session_only(self, door):
        row, other = await self.session(door), await self.session(door)

        async def prove(row, code: str) -> None:
            await door.prove(row, code)

        tries = [await refusal(prove(row, f"{n:06}")) for n in range(30)]
        assert tries.count("code") == 3
        await prove(other, door.code())

    async def test_without_a_second_factor_there_is_no_proof(self, door):
        row = await self.session(door)
        async with door.database.raw() as connection:
            await connection.execute("UPDATE accounts SET totp_key = NULL")
        assert await refusal(door.prove(row, "000000")) == "no_factor"

    async def test_sessions_are_ended_by_their_owner_or_an_administrator(self, door):
        row = await self.session(door)

        async def end(by: str, whose: str | None) -> None:
            async with step(door.database, by, door.clock.now(), door.policy) as one:
                await sessions.end(one, row.id, whose)

        assert await refusal(end("first", "first")) == "no_session"
        assert await refusal(end("first", "author")) == "role"
        await end("admin", None)
        assert await refusal(end("author", "author")) == "no_session"
