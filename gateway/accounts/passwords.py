"""Passwords: argon2id with OWASP's cost, and which ones are not taken.

There are no rules about kinds of characters and no expiry (ASVS 5.0, 6.2): length, and not a word
that everybody tries first.
"""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.desk.refused import DeskRefused
from gateway.share import share

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

SHORTEST, LONGEST = 12, 128
ADVISED = 15
"""Characters that the pages advise."""
_LEFT, _DIFFERENT = 8, 5
"""What must be left of a password, and how many different characters, without the words in it."""
_WORD = 3
"""Characters of a login or name that count as a word."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Threads of its own: a flood of guesses holds at most so many times 19 MiB, and delays nothing else.
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def check(password: str, *context: str) -> None:
    """Refuse what is too short, too long or guessed first.

    Args:
        password: as it was typed.
        context: login, name, the desk's name: no part of a password.

    Raises:
        DeskRefused: ``password_length`` or ``password_guessed``.
    """
    text = _normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise DeskRefused(
            "password_length",
            f"a password has {SHORTEST} to {LONGEST} characters; {ADVISED} or more are better",
            shortest=SHORTEST,
            longest=LONGEST,
            advised=ADVISED,
        )
    left = _without_words(text.casefold(), context)
    if len(left) < _LEFT or len(set(left)) < _DIFFERENT:
        raise DeskRefused(
            "password_guessed",
            "this password is among the first that are tried: take several words that do not belong together",
        )


def _without_words(text: str, context: tuple[str, ...]) -> str:
    own = {part.casefold() for words in context for part in (words, *words.split()) if len(part) >= _WORD}
    for word in sorted(own, key=len, reverse=True) + list(_common()):
        text = text.replace(word, "")
    return text


@cache
def _common() -> tuple[str, ...]:
    """Return the words that are tried first, the longest first."""
    lines = share("config/common_passwords.txt").read_text(encoding="utf-8").splitlines()
    words = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    return tuple(sorted(words, key=lambda word: (-len(word), word)))


async def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return await _aside(lambda: _HASHER.hash(_bytes(password)))


async def is_right(kept: str | None, password: str) -> bool:
    """Return whether a password is the one that was kept; it takes as long where none was."""
    return await _aside(lambda: _verify(kept or _nobodys(), password)) and kept is not None


def _verify(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, _bytes(password if len(password) <= LONGEST else ""))
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """Return the hash that is verified where there is no account, so that the time tells nothing."""
    return _HASHER.hash("nobody has this password")


def _normal(password: str) -> str:
    """Return the password as one keyboard writes it like another."""
    return unicodedata.normalize("NFC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode(errors="surrogatepass")


async def _aside(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
