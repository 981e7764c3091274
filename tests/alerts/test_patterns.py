"""No pattern can be made to take time by the square of a text.

That happens where two parts of a pattern, each free to take any number of characters, can share a run of
characters between them: there are n ways to cut a run of n, and all are tried before the search gives up.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from re import _compiler, _parser
from sys import maxunicode

import pytest

from gateway import alerts

MANY = 250
"""A repeat that ends by itself before this many characters cannot cost much."""
SAMPLE = [chr(code) for code in range(256)] + ["暴", "雨", "\u2028", "\u3000", "é", chr(maxunicode)]
REPEATS = (_parser.MAX_REPEAT, _parser.MIN_REPEAT)


MODULES = [one.name for one in pkgutil.walk_packages(alerts.__path__, "gateway.alerts.")]
PATTERNS = {
    f"{module.removeprefix('gateway.alerts.')}.{name}": value
    for module in MODULES
    for name, value in vars(importlib.import_module(module)).items()
    if isinstance(value, re.Pattern)
}


def characters(tree, node):
    """The characters of the sample that a node for one character takes."""
    one = _parser.SubPattern(tree.state, [node])
    found = _compiler.compile(one, tree.state.flags)
    return {letter for letter in SAMPLE if found.fullmatch(letter)}


def parts(tree):
    """The ways through a pattern, each a list of (characters, whether any number, whether none will do)."""
    ways = [[]]
    for node in tree:
        ways = [before + after for before in ways for after in ways_through(tree, *node)]
    return ways


def ways_through(tree, kind, value):
    if kind is _parser.BRANCH:
        return [way for branch in value[1] for way in parts(branch)]
    if kind is _parser.SUBPATTERN:
        return parts(value[3])
    if kind in (_parser.ASSERT, _parser.ASSERT_NOT):
        return [*parts(value[1]), []]
    if kind is _parser.AT:
        return [[]]
    if kind in REPEATS:
        return repeated(*value)
    return [[(characters(tree, (kind, value)), False, False)]]


def repeated(least, most, inner):
    ways = parts(inner)
    if len(inner) == 1 and inner[0][0] not in (*REPEATS, _parser.SUBPATTERN, _parser.BRANCH):
        return [[(way[0][0], most > MANY, least == 0)] for way in ways]
    # A group that repeats comes after itself.
    again = [[*first, *second] for first in ways for second in ways] if most > 1 else ways
    return [*again, []] if least == 0 else again


def shared_runs(way):
    for at, (letters, any_number, _) in enumerate(way):
        if any_number:
            yield from shared_after(letters, way[at + 1 :])


def shared_after(letters, rest):
    for others, any_number, optional in rest:
        if any_number and letters & others:
            yield letters & others
        if not optional and not letters & others:
            return


def is_costly(pattern):
    tree = _parser.parse(pattern.pattern, pattern.flags)
    return any(True for way in parts(tree) for _ in shared_runs(way))


@pytest.mark.parametrize("name", PATTERNS)
def test_no_two_parts_share_a_run_of_characters(name):
    assert not is_costly(PATTERNS[name])


@pytest.mark.parametrize(
    "text",
    [r"not\s+(?:a)?\s*test", r"[0-9]+\.?[0-9]*", r"(?:a+)+b", r"\w+\d*x", r"a(?:\s*,)?\s+\s*x", r"x+.x+y"],
)
def test_patterns_known_to_be_costly_are_seen(text):
    assert is_costly(re.compile(text))


@pytest.mark.parametrize(
    "text", [r"not\s+(?:a\s+)?test", r"[0-9]+(?:\.[0-9]*)?", r"(?:a+,)+b", r"\w+ \w+", r"(-[a-z]{1,8})*"]
)
def test_harmless_patterns_are_let_be(text):
    assert not is_costly(re.compile(text))
