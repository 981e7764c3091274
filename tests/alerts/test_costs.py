"""What a file costs grows no faster than the file. For time and memory see ``tests/benchmarks``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest

from gateway.alerts.check import check
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from tests.alerts.costly import AWARENESS, HEAD, INFO, LANGUAGE, TAIL, codes_and_blocks, made

NOW = datetime(2026, 7, 1, tzinfo=UTC)
COSTLY = {name: text.encode() for name, text in made()}


def parameter(n):
    return f"<parameter><valueName>{n}</valueName><value>v</value></parameter>"


GROWING = {
    "codes and blocks": codes_and_blocks,
    "categories and blocks": lambda n: (
        HEAD
        + INFO.replace("<category>", "<category>Geo</category>" * n + "<category>")
        + "</info>"
        + f"{INFO}</info>" * n
        + "</alert>"
    ),
    "parameters": lambda n: HEAD + INFO + "".join(map(parameter, range(n))) + TAIL.format(""),
    "foreign elements": lambda n: HEAD + '<x xmlns="u" a="1"><y/></x>' * n + "</alert>",
    "fields of an awareness level": lambda n: HEAD + INFO + AWARENESS.format("2;" * n) + TAIL.format(""),
    "parts of a language": lambda n: HEAD + LANGUAGE.format("a" + "-a" * n) + TAIL.format(""),
    "points": lambda n: HEAD + INFO + TAIL.format(f"<polygon>{'1,1 1,2 2,2 ' * n}1,1</polygon>"),
    "references": lambda n: (
        HEAD.replace("Alert<", "Update<") + f"<references>{'a,b ' * n}</references></alert>"
    ),
}


def calls(data, hazards):
    """How many functions are called to read and judge a file."""
    count = 0

    def see(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        check(data, now=NOW, hazards=hazards)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_file_is_no_more_than_twice_the_work(name, hazards):
    once, twice = (calls(GROWING[name](n).encode(), hazards) for n in (200, 400))
    assert twice < 2.2 * once


@pytest.mark.parametrize("name", COSTLY)
def test_costly_files_are_answered_and_lose_nothing(name, hazards):
    checked = check(COSTLY[name], now=NOW, hazards=hazards)
    assert checked.verdict in ("findings", "refused")
    if checked.parsed:
        assert parse(write(checked.parsed.alert)).alert == checked.parsed.alert
