"""What a robot's answer means: the vendor's codes and HTTP statuses as tables.

Codes: developer.work.weixin.qq.com/document/path/90313 (global return codes) and
path/91770 (group robots). The vendor asks to judge by ``errcode``, never by ``errmsg``.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.base import Accepted, Outcome, Rejected, Retry, Throttled, Unknown

MINUTE: Final = 60.0
BUSY: Final = 5.0
"""Seconds to wait when the vendor is busy or broken."""
ABROAD: Final = 30.0
"""Seconds to wait when something that is not the vendor answers, or a code is new to us."""

CODES: Final[dict[int, Outcome]] = {
    -1: Retry(BUSY, "-1"),  # system busy: the vendor asks for no more than three further tries, see Busy
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
    408: Unknown("http-408"),  # a proxy's clock ran out, perhaps behind the whole request
    413: Rejected("http-413"),
    429: Throttled(MINUTE, "http-429"),
    503: Retry(BUSY, "http-503"),  # turned away at the door: nothing was taken
}
"""HTTP statuses that do not follow their class."""

MOST_BUSY: Final = 3
REMEMBERED: Final = 10_000
"""Deliveries whose busy answers are counted at one time."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Answer(BaseModel):
    """The vendor's JSON answer."""

    model_config = ConfigDict(strict=True)

    errcode: Annotated[int, Field(ge=-(2**31), lt=2**31)]
    errmsg: str = ""


def by_status(status: int) -> Outcome | None:
    """Return what an HTTP status means by itself; None for 200, whose body has to be judged.

    A redirect or another 4xx comes from something between us and the vendor, or from a
    wrong ``base_url``: nothing was taken, and it can be mended while we retry. A server that
    fails, or a success without the vendor's words, has read the whole request: the group may
    have been told, so it is unknown.
    """
    if status == 200:  # noqa: PLR2004
        return None
    if status in STATUSES:
        return STATUSES[status]
    read_whole = status < 300 or status >= 500  # noqa: PLR2004
    return Unknown(f"http-{status}") if read_whole else Retry(ABROAD, f"http-{status}")


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


class Busy:
    """Counts how often each delivery was answered "system busy", because the vendor bounds the tries."""

    def __init__(self) -> None:
        """Begin with no answer counted."""
        self._times: OrderedDict[int, int] = OrderedDict()

    def judge(self, delivery: int, outcome: Outcome) -> Outcome:
        """Return the outcome, or unknown where the vendor was busy once too often."""
        times = self._times.pop(delivery, 0) + 1
        if outcome != CODES[-1]:
            return outcome
        self._times[delivery] = times
        if len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        return outcome if times <= MOST_BUSY else Unknown("-1")


def is_listed(code: str) -> bool:
    """Tell whether an outcome's code stands in :data:`CODES`."""
    return any(getattr(outcome, "code", None) == code for outcome in CODES.values())


def redacted(body: bytes, key: str, limit: int = 300) -> str:
    """Return the start of a raw answer on one line, with the robot's key taken out."""
    text = body[: 4 * limit].decode("utf-8", "replace").replace(key, "***")
    return _CONTROLS.sub(" ", text)[:limit]
