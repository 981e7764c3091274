"""Division codes of GB/T 2260 (county), GB/T 10114 (township) and the statistics office (village).

A code has 12 digits: province 2, city 2, county 2, township 3, village 3; what is not used is 0.
A shorter code is padded; the two digits that the national message may add are cut.
A code stands for itself and everything below it, so matching is by prefix, level by level.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LEVELS = {"province": 2, "city": 4, "county": 6, "township": 9, "village": 12}
"""Level -> how many digits name it."""

_LENGTHS = (6, 9, 12, 14)
_FULL = 12

CODE_LISTS = frozenset(
    {
        "gbt2260",
        "gb2260",
        "gbt10114",
        "gbt35965",
        "cngbt2260",
        "adcode",
        "cpeasgeographiccode",
        "areacode",
        "divisioncode",
        "region",
        "regioncode",
        "行政区划",
        "行政区划代码",
        "行政区划编码",
        "区划代码",
    }
)
"""Names of geocode lists (``valueName``) that hold division codes, as :func:`list_key` writes them."""

_YEAR = re.compile(r"(?<=2260)(19|20)\d\d$")


class CodeRefused(ValueError):
    """The text is no division code; the message says why."""


class Code(NamedTuple):
    """A division code in full length."""

    digits: str
    level: str

    @property
    def prefix(self) -> str:
        """The digits that everything within the division begins with."""
        return self.digits[: LEVELS[self.level]]


def list_key(value_name: str) -> str:
    """Return the name of a code list without case, punctuation, ``urn:``, ``profile:`` or a year."""
    words = re.sub(r"[\W_]+", "", value_name.casefold())
    return _YEAR.sub("", words.removeprefix("urn").removeprefix("profile"))


def parse_code(text: str) -> Code:
    """Return the code that 6, 9, 12 or 14 digits stand for.

    Raises:
        CodeRefused: other lengths, other characters, or nothing but zeros, which would be everyone.
    """
    if not (text.isascii() and text.isdigit()) or len(text) not in _LENGTHS:
        raise CodeRefused("a division code has 6, 9, 12 or 14 digits")
    digits = text[:_FULL].ljust(_FULL, "0")
    for level, length in reversed(LEVELS.items()):
        step = 3 if length > LEVELS["county"] else 2
        if digits[length - step : length].strip("0"):
            return Code(digits, level)
    raise CodeRefused("a division code of zeros names no division")


def is_finer(text: str) -> bool:
    """Whether a 14-digit code names something smaller than a village."""
    return len(text) > _FULL and text[_FULL:].strip("0") != ""


def ancestors(code: str) -> list[str]:
    """Return the codes above one, the nearest first, in full length."""
    own = parse_code(code)
    above = [length for length in LEVELS.values() if length < LEVELS[own.level]]
    return [own.digits[:length].ljust(_FULL, "0") for length in reversed(above)]


def township_of(code: str) -> str:
    """Return the code of the township that a region lies in; of the county or higher: the region itself."""
    return code[:9] + "000"
