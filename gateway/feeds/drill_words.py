"""Words that say "this is a test", anywhere in a message that claims to be real."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gateway.desk.checks import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Alert

_WORDS = re.compile(
    r"演练|演习|演習|测试|測試|试验|試驗|试发|试播|训练|訓練|テスト|시험|훈련"
    r"|(?<![a-z])(?:tests?|testing|drills?|exercises?|simulation|simulacro|ejercicio|übung|probealarm)(?![a-z])"
)
# "Exercise caution" is what a real warning says; as in the lint of alerts.
_CARE = re.compile(
    r"(?<![a-z])exercis(?:e|ing) (?:\w+ ){0,2}"
    r"(?:caution|care|restraint|vigilance|judge?ment|patience|outdoors?)"
)
_NO_TEXT = frozenset({"signatures", "deref_uri", "digest", "mime_type", "status", "msg_type", "scope"})
"""Fields that are no words: base64, digests, enumerations."""


def drill_words(alert: Alert) -> str | None:
    """Return the first field of the message that speaks of a test, ``None`` where none does.

    Every text is looked at, identifiers, notes, codes, parameters and addresses of links among them: in
    2018 the one field that said TEST was the one that no machine read.
    """
    return next((path for path, text in _texts(alert.model_dump(mode="python"), "") if _speaks(text)), None)


def _speaks(text: str) -> bool:
    return _WORDS.search(_CARE.sub(" ", fold(text))) is not None


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a dumped model
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in _NO_TEXT:
                yield from _texts(one, f"{path}/{name}" if path else name)
    elif isinstance(value, tuple | list):
        for number, one in enumerate(value, 1):
            if not isinstance(one, int | float):
                yield from _texts(one, f"{path}[{number}]")
