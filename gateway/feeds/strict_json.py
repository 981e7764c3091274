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
            or is nested too deep.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise JsonRefused("json_malformed", f"the JSON is not UTF-8 (at byte {error.start})") from None
    _check_depth(text, deepest)
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


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def _check_depth(text: str, deepest: int) -> None:
    """Refuse what is nested too deep before the recursive parser sees it."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            if depth > deepest:
                raise JsonRefused("json_too_deep", f"the JSON is nested more than {deepest} deep")
        elif first in "]}":
            depth -= 1


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
