"""Masks what must not stand in a log: phone numbers, e-mail addresses, values of secret keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from channels.base import mask

if TYPE_CHECKING:
    from collections.abc import Callable

HIDDEN = "[hidden]"
"""Stands where a secret stood."""

_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|(^|[_-])key$|api_?key|private|credential|authorization|cookie|signature|otp$",
    re.IGNORECASE,
)
_PLAIN_TEXT_SECRET = re.compile(
    r"""(?P<name>[\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|(?<![a-z])key|authorization)["']?\s*[=:]\s*)"""
    r"""(?P<value>"[^"]*"|'[^']*'|(?:(?:bearer|basic)\s+)?[^\s,;&"'})\]]+)""",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)", re.IGNORECASE)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(
    r"(?<![\w.:-])(?:\+|00)\d(?:[ ().-]{0,2}\d){6,14}(?![\w])"  # international
    r"|(?<![\w.:-])1[3-9]\d(?:[ -]?\d{4}){2}(?![\w])"  # mobile in mainland China
    r"|(?<![\w.:-])86[ -]?1[3-9]\d(?:[ -]?\d{4}){2}(?![\w])"
    r"|(?<![\w.:-])0\d{2,3}-\d{7,8}(?![\w])"  # landline in mainland China
)
_LINE_BREAKS = {
    ord(c): f"\\x{ord(c):02x}" for c in map(chr, (*range(9), *range(11, 32), 127, *range(128, 160)))
}
_LINE_BREAKS |= {10: "\\n", 13: "\\r", 9: " ", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def redact_text(text: str) -> str:
    """Return the text on one line, without phone numbers, e-mail addresses and written-out secrets."""
    text = _URL_PASSWORD.sub(lambda found: found["head"] + HIDDEN, text)
    text = _PLAIN_TEXT_SECRET.sub(lambda found: found["name"] + HIDDEN, text)
    text = _EMAIL.sub(_masked, text)
    text = _PHONE.sub(_masked, text)
    return text.translate(_LINE_BREAKS)


def _masked(found: re.Match[str]) -> str:
    return mask(re.sub(r"[ ().-]", "", found[0]) if "@" not in found[0] else found[0])


def redact(value: Any, name: str = "") -> Any:  # noqa: ANN401 - a log takes anything
    """Return the value, and all that is in it, fit for a log.

    Args:
        value: of any type; what JSON does not know becomes redacted text.
        name: the key it stands under; a secret's name hides the whole value.
    """
    if name and _SECRET.search(name) and value is not None and not isinstance(value, bool):
        return HIDDEN
    if isinstance(value, dict):
        return {redact_text(str(key)): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if value is None or isinstance(value, bool | float | int):
        return value if value is None or not _PHONE.fullmatch(str(value)) else redact_text(str(value))
    return redact_text(value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value))


def processor() -> Callable[[Any, str, Any], Any]:
    """Return the step of structlog's chain that redacts whole events."""
    return lambda _logger, _method, event: redact(event)
