"""JSON as RFC 8259 has it, for what strangers send: one meaning or none.

The standard library takes NaN, keeps the last of two equal keys and passes half characters on; each is a way
to have two readers see two messages.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

DEEPEST = 64
ROOM = 32 * 1024 * 1024
"""Bytes of memory that a value may take, by the estimate below."""
_PER_CONTAINER = {"{": 230, "[": 100}
_PER_TEXT = 60
_PER_COMMA = 32
"""Bytes of an object or array, of a text without its letters, and of a number with its place."""
_LONGEST_NUMBER = 40
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonRefused(ValueError):
    """The bytes are not strict JSON; ``code`` is a key of gateway.feeds.findings.CODES."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code and one sentence, without the text."""
        super().__init__(message)
        self.code = code
        self.message = message


def read_json(data: bytes, *, deepest: int = DEEPEST) -> Any:  # noqa: ANN401 - whatever it holds
    """Return the value.

    Args:
        data: UTF-8, with or without a byte order mark.
        deepest: Levels of arrays and objects.

    Raises:
        JsonRefused: It is no JSON, names a key twice, holds NaN, an infinite number or half a character,
            is nested too deep, or would need more memory than :data:`ROOM`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise JsonRefused("json_malformed", f"the JSON is not UTF-8 (at byte {error.start})") from None
    _check_outline(text, deepest)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as error:
        raise JsonRefused(
            "json_malformed", f"the JSON is broken at line {error.lineno}, column {error.colno}"
        ) from None
    if "\\u" in text and _has_half(value):
        raise JsonRefused("json_surrogate", "a text of the JSON has half a character (a lone surrogate)")
    return value


# Possessive: what can be given back is kept for each letter, which for 5 MB is half a gigabyte.
_OUTLINE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)


def _check_outline(text: str, deepest: int) -> None:
    """Refuse what is nested too deep, or has too many parts, before the recursive parser sees it."""
    # The names of fields come again and again and are kept once.
    fields = text.count('":') + text.count('" :')
    depth, left = 0, ROOM + _PER_TEXT * fields - _PER_COMMA * text.count(",")
    for match in _OUTLINE.finditer(text):
        first = text[match.start()]
        if first in _PER_CONTAINER:
            depth += 1
            left -= _PER_CONTAINER[first]
        elif first in "]}":
            depth -= 1
        else:
            left -= _PER_TEXT
        if depth > deepest:
            raise JsonRefused("json_too_deep", f"the JSON is nested more than {deepest} deep")
        if left < 0:
            raise JsonRefused("feed_too_large", "the JSON has more values than are read")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise JsonRefused("json_duplicate_key", "an object of the JSON names a key twice")
    return made


def _constant(name: str) -> NoReturn:
    raise JsonRefused("json_not_finite", f"the JSON has {name}, which is no JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JsonRefused("json_not_finite", "the JSON has a number that is too large")
    return value


def _int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise JsonRefused("json_not_finite", "the JSON has a number that is too large")
    return int(text)


def _has_half(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_half(key) or _has_half(one) for key, one in value.items())
    return isinstance(value, list) and any(map(_has_half, value))
