"""Words that contradict the status: tests that look real, and real warnings that speak of a test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.alerts.model import Status
from gateway.alerts.rules.texts import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Info
    from gateway.alerts.rules.context import Context

# Searched in small letters, each run of white space being one space. Words between spaces stand in one group
# behind one word boundary: alternatives that each begin with one cost three times as much.
_NO_TEST = re.compile(
    r"(?:不是|并非|非)(?:一次)?(?:演习|演练|测试|試驗|训练)|ではありません"
    r"|\b(?:(?:not|no) (?:(?:a|an|part of an?) )?(?:test|drill|exercise)"
    r"|no es (?:un )?(?:simulacro|ejercicio)|keine? (?:übung|probe))\b"
)
_TEST_MARK = re.compile(
    r"演练|演习|演習|測試|测试|试发|试播|训练|訓練|テスト|훈련|시험 ?방송"
    r"|\b(?:test|tests|testing|drill|simulacro|simulation|simulacre|probealarm|übung|probewarnung"
    r"|(?:this is|only|for) an? exercise|ejercicio|exercise message|exercice|учения"
    r"|not an actual (?:alert|warning|emergency|event))\b"
)
# "Exercise caution" is what a real warning says.
_EXERCISE = re.compile(
    r"\bexercise\b(?! (?:\w+ ){0,2}(?:caution|care|restraint|vigilance|judge?ment|patience|outdoors?))"
)
# In running text a single "test" is often innocent (tested water, a test of the dam's gates).
_TEST_SENTENCE = re.compile(
    r"演练|演习|演習|此为测试|测试信息|测试消息|这是测试|試驗|訓練です|テストです"
    r"|\b(?:(?:this is|only|message is) (?:only )?an? (?:\w+ )?(?:test|drill|exercise)"
    r"|test (?:message|alert|warning)|exercise exercise|es un simulacro"
    r"|not an actual (?:alert|warning|emergency|event))\b"
)

_WHERE = {
    "event": (_TEST_MARK, _EXERCISE),
    "headline": (_TEST_MARK, _EXERCISE),
    "description": (_TEST_SENTENCE,),
    "instruction": (_TEST_SENTENCE,),
}


def about_drills(context: Context) -> None:
    """Whether words and status agree on what is real."""
    status = context.alert.status
    for path, info in context.infos():
        if status == Status.ACTUAL:
            for name in _test_words(info):
                context.found.add("test_words_in_actual", f"{path}/{name}")
        elif status in (Status.TEST, Status.EXERCISE):
            _about_drill(context, path, info)


def _searchable(info: Info) -> dict[str, str]:
    return {name: " ".join(text.lower().split()) for name, text in words_of(info)}


def _test_words(info: Info) -> Iterator[str]:
    texts = _searchable(info)
    for name, patterns in _WHERE.items():
        claims = _NO_TEST.sub(" ", texts.get(name, ""))
        if any(pattern.search(claims) for pattern in patterns):
            yield name


def _about_drill(context: Context, path: str, info: Info) -> None:
    texts = _searchable(info)
    for name, text in texts.items():
        if _NO_TEST.search(text):
            context.found.add("actual_words_in_test", f"{path}/{name}")
    shown = [texts.get(name, "") for name in ("event", "headline", "description")]
    if not any(_TEST_MARK.search(text) or _EXERCISE.search(text) for text in shown):
        context.found.add("drill_unmarked", path)
