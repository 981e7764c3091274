"""Passwords: what is taken, and what is kept of them."""

from __future__ import annotations

import secrets

import pytest

from gateway.accounts import passwords
from gateway.desk.refused import DeskRefused

CONTEXT = ("li.ming", "虚构 李明", "示范县预警信息发布中心", "tongda")


class TestWhatIsTaken:
    @pytest.mark.parametrize(
        "good",
        [
            "correct horse battery staple",
            "7Q-kz!92.x#Lp",
            "蓝色茶壶在山坡上唱歌的三只猫",
            " blanks at both ends ",
            "x" * 3 + "teapot marsh ladder" * 5,
        ],
    )
    def test_length_counts_and_any_character_is_good(self, good):
        passwords.check(good, *CONTEXT)

    def test_random_ones_are_taken(self):
        for _ in range(500):
            passwords.check(secrets.token_urlsafe(12), *CONTEXT)

    @pytest.mark.parametrize(
        ("bad", "code"),
        [
            ("short-One1!", "password_length"),
            ("x9 " * 50, "password_length"),
            ("", "password_length"),
            ("Password123456!", "password_guessed"),
            ("qwertyuiop1234", "password_guessed"),
            ("woaini5201314!!", "password_guessed"),
            ("QiXiangJu2026888", "password_guessed"),
            ("li.ming-li.ming-1", "password_guessed"),
            ("示范县预警信息发布中心2026", "password_guessed"),
            ("tongda-tongda-tongda", "password_guessed"),
            ("abababababababab", "password_guessed"),
            ("            ", "password_guessed"),
        ],
    )
    def test_what_is_guessed_first_is_refused(self, bad, code):
        with pytest.raises(DeskRefused) as refused:
            passwords.check(bad, *CONTEXT)
        assert refused.value.code == code


class TestWhatIsKept:
    async def test_it_is_argon2id_with_the_agreed_cost_and_salted(self):
        kept = await passwords.hashed("invented teapot over marsh")
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert kept != await passwords.hashed("invented teapot over marsh")

    async def test_only_the_same_password_is_right(self):
        kept = await passwords.hashed("invented teapot é 虚构的茶壶")
        assert await passwords.is_right(kept, "invented teapot é 虚构的茶壶")
        assert not await passwords.is_right(kept, "invented teapot e 虚构的茶壶")
        assert not await passwords.is_right(None, "nobody has this password")
        assert not await passwords.is_right("no hash", "invented teapot é 虚构的茶壶")

    async def test_all_of_a_long_one_counts(self):
        long = "teapot marsh " * 9 + "ladder moon"
        kept = await passwords.hashed(long)
        assert await passwords.is_right(kept, long)
        assert not await passwords.is_right(kept, long + "x" * 20)
        assert not await passwords.is_right(kept, long[:72])
