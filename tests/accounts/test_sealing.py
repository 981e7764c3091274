"""S7: second factors are sealed in the database: for their owner, under keys that can be changed."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.accounts import invitations, own, proving, resealing, sessions
from gateway.accounts.sealing import WAY_OUT, Owner, SealBroken, Sealing, sealing_of
from gateway.accounts.signing_in import Opened
from gateway.desk.refused import DeskRefused
from gateway.settings import SettingsRefused, load_settings
from gateway.store import audit
from tests.accounts.canary import files_with, shapes, tables_with
from tests.accounts.conftest import HERE, KEY, PASSWORD
from tests.accounts.test_enrolment import Newcomer, invite
from tests.accounts.test_signing_in import refusal

OLD, NEW, OTHER = (f"an invented key of {name}".encode() for name in ("last year", "this year", "elsewhere"))
ME = Owner("account", "author")
SEALING = Sealing(NEW, [OLD])

secrets = st.text(max_size=80)
owners = st.builds(
    Owner, st.sampled_from(("account", "offer", "invitation")), st.from_regex(r"[A-Za-z0-9_.@+-]{1,64}\Z")
)


class TestSealing:
    @given(secret=secrets, owner=owners)
    def test_what_was_sealed_opens_for_its_owner(self, secret, owner):
        assert SEALING.open(SEALING.seal(secret, owner), owner) == secret

    @given(secret=secrets, owner=owners, other=owners)
    def test_and_for_nobody_and_nothing_else(self, secret, owner, other):
        if owner != other:
            with pytest.raises(SealBroken):
                SEALING.open(SEALING.seal(secret, owner), other)

    @given(secret=secrets, owner=owners, keys=st.tuples(st.binary(min_size=1), st.binary(min_size=1)))
    def test_another_key_opens_nothing(self, secret, owner, keys):
        if keys[0] != keys[1]:
            with pytest.raises(SealBroken, match="not given"):
                Sealing(keys[1]).open(Sealing(keys[0]).seal(secret, owner), owner)

    @given(secret=secrets, data=st.data())
    def test_a_text_that_was_changed_does_not_open(self, secret, data):
        text = SEALING.seal(secret, ME)
        at = data.draw(st.integers(0, len(text) - 1))
        changed = data.draw(
            st.one_of(
                st.just(text[:at]),
                st.just(text[:at] + text[at + 1 :]),
                st.characters(max_codepoint=0x2FFF).map(lambda one: text[:at] + one + text[at + 1 :]),
                st.characters(max_codepoint=0x2FFF).map(lambda one: text[:at] + one + text[at:]),
            )
        )
        if changed != text:
            with pytest.raises(SealBroken):
                SEALING.open(changed, ME)

    @pytest.mark.parametrize("text", ["", KEY, "s1..", "s1.00000000.", "s2" + SEALING.seal(KEY, ME)[2:]])
    def test_what_was_never_sealed_does_not_open(self, text):
        with pytest.raises(SealBroken):
            SEALING.open(text, ME)
        with pytest.raises(SealBroken):
            SEALING.open(f"{SEALING.seal(KEY, ME)}\n", ME)

    def test_the_same_secret_is_another_text_each_time(self):
        assert len({SEALING.seal(KEY, ME) for _ in range(50)}) == 50

    def test_a_text_has_nothing_of_secret_or_key(self):
        text = SEALING.seal(KEY, ME)
        assert not [one for one in shapes(KEY) if one in text]
        assert NEW.hex() not in text
        assert re.fullmatch(r"s1\.[0-9a-f]{8}\.[0-9a-f]{120}", text)

    def test_nothing_shown_of_it_has_a_key(self):
        assert NEW.decode() not in f"{SEALING!r}{vars(SEALING)}"


class TestKeys:
    def test_an_earlier_key_opens_and_never_seals(self):
        before, after = Sealing(OLD), Sealing(NEW, [OLD])
        text = before.seal(KEY, ME)
        assert after.open(text, ME) == KEY
        assert not after.is_newest(text)
        with pytest.raises(SealBroken, match="not given"):
            before.open(after.seal(KEY, ME), ME)

    def test_what_was_sealed_anew_needs_the_earlier_key_no_longer(self):
        text = SEALING.anew(Sealing(OLD).seal(KEY, ME), ME)
        assert Sealing(NEW).open(text, ME) == KEY
        assert SEALING.anew(text, ME) == text

    def test_there_may_be_several_and_the_newest_among_them(self):
        many = Sealing(NEW, [OTHER, NEW, OLD])
        assert all(many.open(Sealing(one).seal(KEY, ME), ME) == KEY for one in (OTHER, NEW, OLD))
        assert many.is_newest(Sealing(NEW).seal(KEY, ME))

    def test_without_a_setting_it_is_made_once_and_kept(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        first, again = (sealing_of(load_settings(state_dir=tmp_path / "state")) for _ in range(2))
        assert again.open(first.seal(KEY, ME), ME) == KEY
        assert (tmp_path / "state" / "keys" / "factor_key").stat().st_mode & 0o077 == 0

    def test_hosts_with_the_same_setting_open_what_the_other_sealed(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        key, before = "5f3a9c0e7b1d4826-invented-6a94c1f0", "e3b7d582c90a4f61-invented-77b0d2aa"
        one, other = (
            sealing_of(load_settings(state_dir=tmp_path / name, secrets=given))
            for name, given in (
                ("one", {"factor_key": before}),
                ("other", {"factor_key": key, "old_factor_keys": [before]}),
            )
        )
        assert other.open(one.seal(KEY, ME), ME) == KEY
        assert not (tmp_path / "one" / "keys").exists()

    @pytest.mark.parametrize("weak", ["short", "changeme" * 5, "0" * 64, "abab" * 16])
    @pytest.mark.parametrize("name", ["factor_key", "old_factor_keys"])
    def test_one_that_can_be_guessed_is_refused_and_not_repeated(self, tmp_path, monkeypatch, name, weak):
        monkeypatch.chdir(tmp_path)
        value = weak if name == "factor_key" else [weak]
        with pytest.raises(SettingsRefused) as refused:
            load_settings(secrets={name: value})
        assert name in str(refused.value)
        assert "openssl rand -hex 32" in str(refused.value)
        assert weak not in str(refused.value)


async def stored(door, column: str = "totp_key", login: str = "author") -> str | None:
    async with door.database.raw() as connection:
        return await connection.fetchval(f"SELECT {column} FROM accounts WHERE login = $1", login)


async def signed_in(door, login: str = "author"):
    opened = await door.enter(login)
    door.clock.advance(30)
    return await sessions.find(door.database, opened.token, door.clock.now())


async def half_way(door, login: str = "author") -> tuple[Newcomer, str]:
    """Somebody who has set a password by a code and was shown a key."""
    newcomer = await invite(door, login, "reset")
    return newcomer, (await newcomer.begin()).totp_key


class TestTheDatabase:
    """S7: a canary, looked for in every column and in the files."""

    async def test_has_no_second_factor_at_any_moment_of_an_account(self, door):
        newcomer, key = await half_way(door)
        assert await tables_with(door.database, KEY, key) == set()
        await newcomer.finish(door.code(key))
        door.clock.advance(30)
        opened = await door.enter("author", "another invented ladder, moon", door.code(key))
        row = await sessions.find(door.database, opened.token, door.clock.now())
        await own.offer_factor(door.database, door.sealing, "author", door.clock.now())
        offered = own.offered_key(door.sealing, await own.account(door.database, "author"))
        assert await tables_with(door.database, KEY, key, offered) == set()
        await own.confirm_factor(
            door.database, door.policy, door.sealing, row, door.code(offered), door.clock.now()
        )
        assert await tables_with(door.database, KEY, key, offered) == set()
        assert await files_with(door.database, key, offered) == set()

    async def test_would_be_caught_with_one(self, door):
        assert await files_with(door.database, await stored(door)) == {"base", "pg_wal"}
        await half_way(door)
        async with door.database.raw() as connection:
            await connection.execute("UPDATE accounts SET totp_key = $1 WHERE login = 'first'", KEY)
            await connection.execute(
                "UPDATE invitations SET begun = begun || jsonb_build_object('totp_key', $1::text)", KEY
            )
        assert await tables_with(door.database, KEY) == {"accounts", "invitations"}


BREAKS = {
    "copied from another person": "UPDATE accounts SET totp_key = (SELECT totp_key FROM accounts"
    " WHERE login = 'first') WHERE login = 'author'",
    "copied from what was offered": "UPDATE accounts SET totp_key = next_totp_key WHERE login = 'author'",
    "cut": "UPDATE accounts SET totp_key = left(totp_key, -2) WHERE login = 'author'",
    "changed": "UPDATE accounts SET totp_key = left(totp_key, -2) || CASE right(totp_key, 2)"
    " WHEN '00' THEN '01' ELSE '00' END WHERE login = 'author'",
    "in the clear": f"UPDATE accounts SET totp_key = '{KEY}' WHERE login = 'author'",
    "empty": "UPDATE accounts SET totp_key = '' WHERE login = 'author'",
}
"""What somebody who writes into the database might do."""


class TestWhatDoesNotOpen:
    """It fails closed: the ordinary refusal for the person, a sentence for the operator."""

    @pytest.fixture(params=BREAKS.values(), ids=BREAKS.keys())
    async def broken(self, request, door) -> str:
        sealed = door.sealing.seal(KEY, Owner("offer", "author"))
        async with door.database.raw() as connection:
            await connection.execute("UPDATE accounts SET next_totp_key = $1", sealed)
            await connection.execute(request.param)
        return "author"

    async def test_is_no_way_in(self, door, broken):
        with capture_logs() as lines, pytest.raises(DeskRefused) as refused:
            await door.enter(broken)
        assert refused.value.sentence == "login, password or code is wrong; each code is taken once"
        self.told(lines)
        assert (await door.enter("first")).login == "first"

    async def test_is_no_proof(self, door, broken):
        async with door.database.begin() as connection:
            token = await sessions.open_session(connection, broken, door.clock.now(), HERE)
        row = await sessions.find(door.database, token, door.clock.now())
        with capture_logs() as lines:
            assert await refusal(door.prove(row, door.code())) == "code"
        self.told(lines)

    def told(self, lines: list[dict]) -> None:
        errors = [line for line in lines if line["log_level"] == "error"]
        assert [line["login"] for line in errors] == ["author"]
        assert errors[0]["way_out"] == WAY_OUT
        assert "secrets.factor_key" in WAY_OUT
        text = repr(lines)
        assert not [one for one in (*shapes(KEY), PASSWORD, "s1.") if one in text]

    async def test_under_a_key_that_is_not_given_names_that_key(self, door):
        sealed = await stored(door)
        door.sealing = Sealing(OTHER)
        with capture_logs() as lines:
            assert await refusal(door.enter()) == "sign_in"
        assert sealed.split(".")[1] in next(one["reason"] for one in lines if one["log_level"] == "error")

    async def test_brings_no_code_of_nobodys_key_in(self, door, monkeypatch):
        monkeypatch.setattr("gateway.accounts.signing_in._NOBODYS_KEY", KEY)
        door.sealing = Sealing(OTHER)
        assert await refusal(door.enter()) == "sign_in"

    async def test_when_offered_is_begun_again(self, door):
        row = await signed_in(door)
        await own.offer_factor(door.database, door.sealing, "author", door.clock.now())
        door.sealing = Sealing(OTHER)
        assert own.offered_key(door.sealing, await own.account(door.database, "author")) is None
        confirmed = own.confirm_factor(
            door.database, door.policy, door.sealing, row, door.code(), door.clock.now()
        )
        assert await refusal(confirmed) == "no_offer"

    async def test_of_an_invitation_is_begun_again_with_another_key(self, door):
        newcomer, key = await half_way(door)
        door.sealing = Sealing(OTHER)
        assert await refusal(newcomer.finish(door.code(key))) == "code"
        again = (await newcomer.begin()).totp_key
        assert again != key
        assert (await newcomer.finish(door.code(again))).login == "author"

    async def test_of_another_invitation_makes_no_account(self, door):
        newcomer, key = await half_way(door)
        other, _ = await half_way(door, "first")
        async with door.database.raw() as connection:
            await connection.execute(
                "UPDATE invitations SET begun = begun || jsonb_build_object('totp_key',"
                " (SELECT begun->>'totp_key' FROM invitations WHERE code_sha256 = $1))"
                " WHERE code_sha256 = $2",
                invitations.hashed(newcomer.code),
                invitations.hashed(other.code),
            )
        assert await refusal(other.finish(door.code(key))) == "code"


class TestRotation:
    """S7: after the key was changed everything can be read, and the earlier one can be dropped."""

    @pytest.fixture
    async def changed(self, door):
        """A desk whose accounts, an offer and an invitation are sealed with the key of last year."""
        door.sealing = Sealing(OLD)
        for login in ("author", "first", "admin"):
            await door.add(login)
        await own.offer_factor(door.database, door.sealing, "first", door.clock.now())
        door.newcomer, door.shown = await half_way(door, "admin")
        door.sealing = Sealing(NEW, [OLD])
        return door

    async def standing(self, door, sealing=None):
        return await resealing.standing(door.database, sealing or door.sealing, door.clock.now())

    async def reseal(self, door):
        return await resealing.reseal(door.database, door.policy, door.sealing, door.clock.now())

    async def test_all_open_before_and_are_counted(self, changed):
        assert await self.standing(changed) == (0, 5, ())
        assert (await changed.enter()).login == "author"
        assert (await changed.newcomer.finish(changed.code(changed.shown))).login == "admin"
        assert own.offered_key(changed.sealing, await own.account(changed.database, "first"))

    async def test_a_sign_in_seals_anew_and_takes_its_code_once(self, changed):
        code = changed.code()
        everywhere = [HERE._replace(address=f"192.0.2.{n}") for n in range(10)]
        came = await asyncio.gather(
            *(changed.enter(code=code, origin=one) for one in everywhere), return_exceptions=True
        )
        assert sum(not isinstance(one, DeskRefused) for one in came) == 1
        assert await self.standing(changed) == (1, 4, ())
        assert Sealing(NEW).open(await stored(changed), ME) == KEY
        assert await refusal(changed.enter(code=code)) == "sign_in"

    async def test_a_proof_seals_anew_and_can_be_given_back(self, changed):
        async with changed.database.begin() as connection:
            token = await sessions.open_session(connection, "author", changed.clock.now(), HERE)
        row = await sessions.find(changed.database, token, changed.clock.now())
        code = changed.code()
        spent = await changed.prove(row, code)
        assert await self.standing(changed) == (1, 4, ())
        assert await refusal(changed.prove(row, code)) == "code"
        await proving.give_back(changed.database, spent)
        await changed.prove(row, code)

    async def test_the_command_seals_all_anew_and_the_earlier_key_can_go(self, changed):
        assert await self.reseal(changed) == (5, (5, 0, ()))
        changed.sealing = Sealing(NEW)
        assert await self.standing(changed) == (5, 0, ())
        assert await self.reseal(changed) == (0, (5, 0, ()))
        assert (await changed.enter()).login == "author"
        assert own.offered_key(changed.sealing, await own.account(changed.database, "first"))
        assert (await changed.newcomer.finish(changed.code(changed.shown))).login == "admin"

    async def test_it_stands_in_the_audit_log_once(self, changed):
        await self.reseal(changed)
        await self.reseal(changed)
        async with changed.database.begin() as connection:
            told = await audit.show(connection, "accounts")
            assert (await audit.verify(connection)).broken_at is None
        assert [(one.actor, one.action) for one in told] == [("system", "reseal")]

    async def test_what_does_not_open_stays_as_it_is_and_is_named(self, changed):
        async with changed.database.raw() as connection:
            await connection.execute(BREAKS["copied from another person"])
        before = await stored(changed)
        assert await self.reseal(changed) == (4, (4, 0, ("author",)))
        assert await stored(changed) == before
        assert await self.standing(changed, Sealing(OTHER)) == (
            0,
            0,
            ("admin", "author", "first", "an invitation"),
        )

    async def test_beside_sign_ins_no_factor_is_lost_and_no_code_serves_twice(self, changed):
        code = changed.code()
        origins = [HERE._replace(address=f"192.0.2.{n}") for n in range(6)]
        came = await asyncio.gather(
            *(changed.enter(code=code, origin=one) for one in origins),
            *(self.reseal(changed) for _ in range(3)),
            return_exceptions=True,
        )
        assert not [one for one in came if isinstance(one, Exception) and not isinstance(one, DeskRefused)]
        assert sum(isinstance(one, Opened) for one in came) <= 1
        changed.sealing = Sealing(NEW)
        assert (await self.standing(changed)).broken == ()
        changed.clock.advance(30)
        assert (await changed.enter(origin=HERE._replace(address="192.0.2.99"))).login == "author"

    async def test_what_was_given_with_a_code_that_is_over_is_forgotten(self, changed):
        changed.clock.advance(25 * 3600)
        assert await self.reseal(changed) == (4, (4, 0, ()))
        async with changed.database.raw() as connection:
            assert await connection.fetchval("SELECT count(*) FROM invitations WHERE begun IS NOT NULL") == 0

    async def test_a_start_tells_the_operator_what_to_do(self, changed):
        for sealing, level, way_out in (
            (Sealing(OTHER), "error", "secrets.old_factor_keys"),
            (changed.sealing, "info", "tongda account reseal"),
        ):
            with capture_logs() as lines:
                await resealing.tell(changed.database, sealing, changed.clock.now())
            (line,) = lines
            assert (line["log_level"], way_out in line["way_out"]) == (level, True)
        await self.reseal(changed)
        with capture_logs() as lines:
            await resealing.tell(changed.database, changed.sealing, changed.clock.now())
        assert lines == []
