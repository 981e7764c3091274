"""What providers' codes and the engine's own words mean, for people at the console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.web.console.filters import N_

if TYPE_CHECKING:
    from collections.abc import Callable

OUTCOMES = {
    "accepted": N_("taken by the provider"),
    "rejected": N_("refused for good"),
    "retry": N_("not taken, tried again"),
    "throttled": N_("too fast, tried again"),
    "unknown": N_("no answer: it may have arrived"),
}
LANES = {"urgent": N_("urgent"), "normal": N_("normal"), "drill": N_("drills")}
KINDS = {
    "smpp": N_("SMS by SMPP"),
    "smtp": N_("E-mail by SMTP"),
    "wecom": N_("WeCom group robots"),
    "mqtt": N_("Terminals by MQTT"),
}
PROOFS = {
    0: N_("waits to be sent"),
    1: N_("waits to be sent"),
    2: N_("is being handed over"),
    3: N_("no answer: it may have arrived"),
    4: N_("stopped before it was sent"),
    5: N_("taken by the provider"),
    6: N_("expired before it was delivered"),
    7: N_("refused"),
    8: N_("delivered"),
    9: N_("read"),
    10: N_("confirmed"),
}
""":class:`channels.base.Proof` -> words."""
WORDS: dict[str, dict[str, str]] = {"outcome": OUTCOMES, "lane": LANES, "kind": KINDS}

REASONS = (
    N_("The provider reported a fault"),
    N_("The provider asked us to stop"),
    N_("Wrong content is going out"),
    N_("Planned maintenance"),
    N_("The fault is mended"),
)
"""Offered for the reason of a switch; anything else may be typed."""

_CODES = (
    ("held", N_("kept back here: its warning ended, or the route was turned off")),
    (
        "closed|connect|connection-lost|broker-down|down",
        N_("no connection: check the network and the provider"),
    ),
    ("timeout|no outcome|answer-too-long", N_("the provider did not answer in time")),
    ("cancelled|lease lost", N_("the worker stopped before the answer came")),
    ("pace|45009|http-429|4\\.7\\.\\d+|432", N_("too many messages in a short time")),
    ("garbage", N_("the answer was not understood")),
    ("longer than .*|45002|40058|http-413|0x00000001.*", N_("the text is too long for this channel")),
    ("44004", N_("the text is empty")),
    ("93000|93004", N_("the robot does not exist any more, or was switched off")),
    ("fill", N_("the confirm link cannot be put into the text")),
    ("0x0000000[EF].*|53[0458].*", N_("the provider does not accept our credentials")),
    ("0x0000000[DA45].*", N_("the provider does not accept our connection or sender number")),
    ("0x00000014.*|0x00000058.*", N_("too many messages in a short time")),
    ("0x0000000B.*|55[013].*|5\\.1\\.\\d+.*", N_("the address does not exist")),
    ("0x00000008.*|-1|http-5\\d\\d|4[25][0-9].*", N_("the provider has a fault of its own")),
    ("UNDELIV.*", N_("could not be delivered to the phone")),
    ("EXPIRED.*", N_("expired before it was delivered")),
    ("REJECTD.*|DELETED.*", N_("refused by the provider or the phone's network")),
    ("forged|unsigned|stale|again", N_("the terminal did not accept the signature or number")),
)
_PATTERNS = tuple((re.compile(form), words) for form, words in _CODES)


def plain(outcome: str, code: str, say: Callable[[str], str]) -> str:
    """Return in plain words what a code means; where it is not known, what its outcome means."""
    inner = code.removeprefix("in part: ")
    known = next((words for form, words in _PATTERNS if inner and form.fullmatch(inner)), None)
    return say(known or OUTCOMES.get(outcome, outcome))
