"""What each answer of a mail server means for the one message it is about.

Reply codes: RFC 5321 section 4.2; enhanced codes: RFC 3463 and its registry (RFC 5248).
A class-4 answer says that the server did not take the message, so it may be offered again.
"""

from __future__ import annotations

import enum
import re

from channels.base import Accepted, Outcome, Rejected, Retry, Throttled


class Stage(enum.IntEnum):
    """How far one message has come with the server."""

    IDLE = 0
    MAIL = 1
    RCPT = 2
    DATA = 3
    BODY = 4
    """The text is on its way: without an answer nobody knows whether it was taken."""


RETRY_AFTER = {
    421: 30.0,  # the server is closing down or has too many sessions
    450: 60.0,  # mailbox busy, or greylisting, whose usual delay is 1 to 5 minutes
    451: 60.0,  # local error, or greylisting
    452: 120.0,  # no storage
    454: 60.0,  # TLS or login not available for the moment
    455: 60.0,  # parameters cannot be served for the moment
}
"""Seconds to wait by reply code; the server's own words come first."""

OTHER_RETRY_AFTER = 60.0

OURS_TO_MEND = frozenset({500, 501, 502, 503, 504, 521, 530, 534, 535, 538, 550, 551, 553, 554, 555})
"""Refusals before a recipient was named: a wrong route setting (login, sender, relay rights),
which must not finish off a whole county's deliveries while somebody can still mend it."""

RETRY_ANYWHERE = frozenset({503, 530, 534, 535, 538})
"""Out of step or not logged in: says nothing about the recipient."""

THROTTLE_CODES = frozenset({"4.7.28", "4.7.500", "4.5.3", "4.7.650"})
"""Rate limits as large providers number them; not in the registry."""

THROTTLE_REPLIES = frozenset({432})
"""Exchange: concurrent connection limit exceeded."""

THROTTLE_AFTER = 5.0

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)", re.ASCII)
_THROTTLE_TEXT = re.compile(
    r"rate.?limit|too (?:many|much|fast|quickly)|throttl|frequency limit", re.IGNORECASE
)
# Large Chinese mail providers answer 550 when a sender is merely too fast.
_THROTTLE_550 = re.compile(r"frequency limit", re.IGNORECASE)
_WAIT = re.compile(
    r"\b(?:in|after|for)\s+(?:(\d\d):(\d\d):(\d\d)|(\d{1,5})\s*(s|sec|m|min)[a-z]*\b)", re.IGNORECASE
)
_SHORTEST, _LONGEST = 1.0, 900.0


def outcome(stage: Stage, code: int, text: str, ref: str) -> Outcome:
    """Return what the answer ``code text`` at this stage means; ``ref`` is the Message-ID.

    An answer that is none (no valid code) at the last stage is left to the caller.
    """
    kind = code // 100
    if kind == 2 and stage is Stage.BODY:  # noqa: PLR2004 - the class of the code
        return Accepted((ref,))
    short = short_code(code, text)
    if _is_throttle(code, text):
        return Throttled(_asked_wait(text) or THROTTLE_AFTER, short)
    if kind == 5 and not _is_ours(stage, code):  # noqa: PLR2004
        return Rejected(short)
    return Retry(_asked_wait(text) or RETRY_AFTER.get(code, OTHER_RETRY_AFTER), short)


def short_code(code: int, text: str) -> str:
    """Return ``550 5.1.1``: digits only, because the words of a server may repeat the address."""
    found = _ENHANCED.match(text)
    return f"{code} {found[1]}" if found else str(code)


def _is_throttle(code: int, text: str) -> bool:
    if code // 100 == 5:  # noqa: PLR2004
        return bool(_THROTTLE_550.search(text))
    found = _ENHANCED.match(text)
    named = found is not None and found[1] in THROTTLE_CODES
    return code // 100 == 4 and (named or code in THROTTLE_REPLIES or bool(_THROTTLE_TEXT.search(text)))  # noqa: PLR2004


def _is_ours(stage: Stage, code: int) -> bool:
    return code in RETRY_ANYWHERE or (stage is Stage.MAIL and code in OURS_TO_MEND)


def _asked_wait(text: str) -> float | None:
    """Return the seconds that a greylisting server names in its words, within reason."""
    found = _WAIT.search(text)
    if found is None:
        return None
    if found[1]:
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
    else:
        seconds = int(found[4]) * (60 if found[5].lower().startswith("m") else 1)
    return min(max(float(seconds), _SHORTEST), _LONGEST)
