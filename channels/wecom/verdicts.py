"""What a robot's answer means: the vendor's codes and HTTP statuses as tables.

Codes: developer.work.weixin.qq.com/document/path/90313 (global return codes) and
path/91770 (group robots). The vendor asks to judge by ``errcode``, never by ``errmsg``.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from channels.base import Accepted, Outcome, Rejected, Retry, Throttled, Unknown

MINUTE: Final = 60.0
BUSY: Final = 5.0
"""Seconds to wait when the vendor is busy or broken."""
ABROAD: Final = 30.0
"""Seconds to wait when something that is not the vendor answers, or a code is new to us."""

CODES: Final[dict[int, Outcome]] = {
    -1: Retry(BUSY, "-1"),  # system busy: the vendor asks for no more than three further tries
    40008: Rejected("40008"),  # msgtype is wrong
    40058: Rejected("40058"),  # a parameter is wrong; also text over its length
    44004: Rejected("44004"),  # empty text
    45002: Rejected("45002"),  # text too long
    45009: Throttled(MINUTE, "45009"),  # over 20 a minute for this robot
    45033: Throttled(BUSY, "45033"),  # too many calls at one time (unverified for robots)
    93000: Rejected("93000"),  # no such robot: the key is wrong or the robot was removed
    93004: Rejected("93004"),  # the robot was switched off (unverified)
}
"""``errcode`` to outcome; 0 is success and stands apart because it needs our reference."""

STATUSES: Final[dict[int, Outcome]] = {
    413: Rejected("http-413"),
    429: Throttled(MINUTE, "http-429"),
    504: Unknown("http-504"),  # a proxy gave up waiting: the vendor may have taken it
}
"""HTTP statuses that do not follow their class."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Answer(BaseModel):
    """The vendor's JSON answer."""

    model_config = ConfigDict(strict=True)

    errcode: int
    errmsg: str = ""


def by_status(status: int) -> Outcome | None:
    """Return what an HTTP status means by itself; None for 200, whose body has to be judged.

    A redirect or another 4xx comes from something between us and the vendor, or from a
    wrong ``base_url``: nothing was taken, and it can be mended while we retry.
    """
    if status == 200:  # noqa: PLR2004
        return None
    if status in STATUSES:
        return STATUSES[status]
    return Retry(BUSY if status >= 500 else ABROAD, f"http-{status}")  # noqa: PLR2004


def by_body(body: bytes, ref: str) -> Outcome:
    """Return what the body of a 200 means; ``ref`` is our reference for an accepted message.

    A body that is not the vendor's JSON proves nothing either way, so the outcome is unknown.
    """
    try:
        answer = Answer.model_validate_json(body)
    except ValidationError:
        return Unknown("garbage")
    if answer.errcode == 0:
        return Accepted((ref,))
    return CODES.get(answer.errcode, Retry(ABROAD, str(answer.errcode)))


def is_listed(code: str) -> bool:
    """Tell whether an outcome's code stands in :data:`CODES`."""
    return any(getattr(outcome, "code", None) == code for outcome in CODES.values())


def redacted(body: bytes, key: str, limit: int = 300) -> str:
    """Return the start of a raw answer on one line, with the robot's key taken out."""
    text = body[: 4 * limit].decode("utf-8", "replace").replace(key, "***")
    return _CONTROLS.sub(" ", text)[:limit]
