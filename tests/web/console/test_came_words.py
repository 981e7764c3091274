"""What the rooms write down in English is read in Chinese: each sentence, and each alarm."""

from __future__ import annotations

import ast
import re
from datetime import timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.feeds import health
from gateway.web.console import came_words, people_words, refusals
from gateway.web.console.admin.words import ACTIONS, LABELS
from gateway.web.console.came_words import say_sentence
from gateway.web.console.refused_words import WRITTEN
from gateway.web.console.words import templates
from tests.web.console.test_refusals import raised

GATEWAY = Path(__file__).resolve().parents[3] / "gateway"
FILES = sorted(GATEWAY.rglob("*.py"))
CHINESE = re.compile("[\u3400-\u9fff]")
WRITERS = [
    *(GATEWAY / "feeds" / f"{one}.py" for one in ("acting", "agreement", "by_hand", "health", "intake")),
    *(GATEWAY / "feeds" / f"{one}.py" for one in ("mend", "place", "poller", "rules", "standing", "stream")),
    *(GATEWAY / "feeds" / f"{one}.py" for one in ("taking", "taking_back", "document", "making", "index")),
    *(GATEWAY / "feeds" / f"{one}.py" for one in ("outside", "strict_json", "shelf", "at_desk")),
    *sorted((GATEWAY / "feeds/fetch").glob("*.py")),
    *(GATEWAY / "desk" / f"{one}.py" for one in ("calling", "emergency")),
    GATEWAY / "feeds/seismic/warning.py",
    GATEWAY / "publish/webhooks.py",
    GATEWAY / "partners/pushing.py",
]
"""Where sentences are made that a database keeps."""
PIECES = re.compile(
    r"7 \(7\): is it over\?.*|ever; it is waited for since 7|; (check that|see) 'tongda feed.*|it is the same"
    r"|its stamp stands at 7|answers, but 7 since.*|messages of 7 are missing or cannot be read7"
    r"|fetched or read|7 of 7 cannot be 77|the host has 7|no address|a (loopback|reserved).*address"
    r"|the certificate of the source 7|no warning was made|the warning that stands was left as it is"
    r"|an earthquake of M 7 .*|ask the partner, then: .*|webhook 7 says .*|<!doctype html"
)
"""Parts of which sentences are put together; those are in :data:`WHOLE`."""
WHOLE = (
    "nws no longer lists it (a@b,c): is it over? Cancel it at the desk if so",
    "no good answer ever; it is waited for since 07-01 02:00; check that 'tongda feeds' runs",
    "no good answer since 07-01 02:00: the source took too long; check the address in the settings",
    "no sign of life since 07-01 02:00: the host has a reserved address; ask the source for shorter messages",
    "answers, but it is the same since 07-01 02:00; ask the source, or set frozen_minutes",
    "answers, but its stamp stands at 07-01 01:00 since 07-01 02:00; ask the source, or set frozen_minutes",
    "messages of nws are missing or cannot be read; see 'tongda feed status'",
    "entries of nws cannot be read: host/a: the document is empty; ask the source for shorter messages",
    "links and entries of nws cannot be fetched or read; see 'tongda feed status'",
    "the host has a loopback, private or link-local address",
    "the certificate of the source has expired",
    "the certificate of the source is not valid",
    (
        "webhook water says that it is gone for good and is told nothing more: ask the partner, then: "
        "tongda publish --resume water"
    ),
    (
        "an earthquake of M 5.5 at 80 km depth, 20 km from 北山镇, is deeper than the intensity model holds "
        "(60 km): no warning was made; decide at the desk"
    ),
    (
        "an earthquake of M 5.5 at 80 km depth, 20 km from 北山镇, is deeper than the intensity model holds "
        "(60 km): the warning that stands was left as it is; decide at the desk"
    ),
    "alert 7 was sent, and nws takes it back: its Cancel, alert 8, is submitted",
    "alert 7 is released, and it has expired (there is no alert 7): look at it again",
    (
        "alert 7 is withdrawn, which people had changed: nws takes it back; draft a new one if there still "
        "is danger"
    ),
    "sent by rule: usgs says the same (message 12)",
    "it cannot be located: no regions are loaded; load them with tongda audience regions FILE",
    (
        "it does not touch the regions of this gateway: 北山镇 (polygon 1) lies outside of 虚构县 or "
        "cannot be located; the desk can choose a region by its code"
    ),
    (
        "it cannot be located: polygon 1 encloses no area; correct it, or choose a region by its code "
        "instead of the shape"
    ),
)


DESK = timezone(timedelta(hours=8))
"""The zone of the invented desk."""
TIMES = (
    ("no good answer since 2026-06-30 18:30+00:00; check that 'tongda feeds' runs", ["2026-07-01 02:30"]),
    (
        (
            "no sign of life ever; it is waited for since 2026-06-30T18:30:00Z: the source took too long; "
            "check the address in the settings"
        ),
        ["2026-07-01 02:30"],
    ),
    (
        (
            "answers, but its stamp stands at 2026-06-30 12:00-06:00 since 2026-06-30 18:30+00:00; ask the "
            "source, or set frozen_minutes"
        ),
        ["2026-07-01 02:00", "2026-07-01 02:30"],
    ),
    (
        "answers, but it is the same since 2026-06-30 18:30+00:00; ask the source, or set frozen_minutes",
        ["2026-07-01 02:30"],
    ),
    ("the certificate of its host expires at 2026-12-31 16:00+00:00; tell the source", ["2027-01-01 00:00"]),
    (
        (
            "the signing certificate CN=虚构 ends on 2026-12-31 16:00+00:00: get a new one, give it to your "
            "partners, and set publish.key_file and publish.certificate_file"
        ),
        ["2027-01-01 00:00"],
    ),
    (
        (
            "alert 7 was sent, and nws takes it back: alert 8 ended at 2026-06-30T18:30:00+00:00: its author "
            "gives it a later end; tongda desk cancel 7"
        ),
        ["2026-07-01 02:30"],
    ),
    (
        (
            "message 7 of nws (a@b,c): the warning ended at 2026-06-30T18:30:00.5+00:00: give a later end "
            "(--expires TIME)"
        ),
        ["2026-07-01 02:30"],
    ),
)
"""Alarm as it is kept, its times in another zone -> the times as the desk reads them."""
OTHER_ZONE = "2026-06-30T18:30:00+00:00"
WRITES_A_TIME = re.compile(r"isoformat\(|\bmoment\(")
ROOMS = {"feeds", "fetch", "seismic", "partners", "publish", "desk"}
TO_PERSONS = re.compile("is on duty already|turned it off at")
"""Refusals of what only a person does, which no room writes down."""


def chinese(sentence: str) -> str:
    return say_sentence(sentence, templates("zh-CN").say, DESK)


def in_both(sentence: str) -> list[str]:
    return [say_sentence(sentence, templates(language).say, DESK) for language in ("zh-CN", "en")]


def timed(path: Path) -> list[str]:
    """Return every sentence of a file that holds a time, with one of another zone in its place."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        said = "".join(
            one.value
            if isinstance(one, ast.Constant)
            else OTHER_ZONE
            if WRITES_A_TIME.search(ast.unparse(one.value))
            else "7"
            for one in node.values
        )
        found += [said] if OTHER_ZONE in said and " " in said else []
    return found


def _is_silent(call: ast.Call) -> bool:
    """Whether a call's texts are for a log, a refusal (which has its own test), SQL or a setting."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    room = getattr(getattr(call.func, "value", None), "id", "")
    return room in {"log", "re"} or name in {"DeskRefused", "text", "hold_name"} or name.endswith("Error")


def _said(node: ast.AST) -> str:
    """Return a text with 7 for each value; empty where it is none."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def written(path: Path) -> list[str]:
    """Return every text of a file that is a sentence or a part of one."""
    passed, found = set(), []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):  # parents come before their children
        is_doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_doc or (isinstance(node, ast.Call) and _is_silent(node)):
            passed |= {id(one) for one in ast.walk(node)}
        elif id(node) not in passed and re.search(r"[a-z]{2,} [a-z]{2,}", _said(node)):
            found.append(_said(node))
        if isinstance(node, ast.JoinedStr):
            passed |= {
                id(one) for one in ast.walk(node) if one is not node and not isinstance(one, ast.IfExp)
            }
    return [one for one in found if not PIECES.fullmatch(one)]


def named(node: ast.expr) -> set[str]:
    """Return the codes that an expression may be, by the names that the rooms give them."""
    if isinstance(node, ast.IfExp):
        return named(node.body) | named(node.orelse)
    if isinstance(node, ast.Constant):
        return {str(node.value)} if node.value else set()
    return {CONSTANTS[node.id]} if isinstance(node, ast.Name) and node.id in CONSTANTS else set()


CONSTANTS = {
    node.targets[0].id: node.value.value
    for path in FILES
    if path.parent.name in {"desk", "feeds"}
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.Assign)
    and isinstance(node.targets[0], ast.Name)
    and isinstance(node.value, ast.Constant)
}
PLACES = {"sound": 2, "alarm": 1, "_hold": 1}
"""Call that raises an alarm -> where its code stands."""
TOLD_ELSEWHERE = {
    "feeds/health.py": set(health.CODES),
    "feeds/seismic/seismology.py": {"quake_deep"},
    "publish/webhooks.py": {"failing", "given_up", "stopped"},
    "publish/publication.py": {"not_published", "certificate_ends"},
    "partners/pushing.py": {"foreign_sender"},
    "feeds/at_desk.py": set(),
    "feeds/intake.py": set(),
    "feeds/acting.py": set(),
}
"""File that takes the code from elsewhere -> the codes; those without any pass on what others say."""


def sounded() -> dict[str, str]:
    """Return (code of an alarm -> file) of each that is raised anywhere."""
    found = {}
    for path in FILES:
        where = path.relative_to(GATEWAY).as_posix()
        found |= dict.fromkeys(TOLD_ELSEWHERE.get(where, ()), where)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "alarm":
                found |= dict.fromkeys(named(node.value), where)
            if not isinstance(node, ast.Call):
                continue
            codes = {code for one in node.keywords if one.arg == "alarm" for code in named(one.value)}
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if called in PLACES and len(node.args) > PLACES[called] and "web" not in path.parts:
                codes |= (here := named(node.args[PLACES[called]]))
                assert here or where in TOLD_ELSEWHERE, f"{where}:{node.lineno}"
            found |= dict.fromkeys(codes - {"True"}, where)
    return found


class TestEverySentence:
    @pytest.mark.parametrize("path", WRITERS, ids=lambda path: path.stem)
    def test_that_is_written_down_has_chinese_words(self, path):
        assert [one for one in written(path) if not CHINESE.search(chinese(one))] == []

    @pytest.mark.parametrize("sentence", WHOLE)
    def test_that_is_put_together_has_them_in_every_part(self, sentence):
        said = re.sub(
            r"tongda [a-z -]+|[a-z_]+\.?[a-z_]*@[a-z,]+|frozen_minutes|host/a", "", chinese(sentence)
        )
        assert CHINESE.search(said)
        assert not re.search(r"[a-z]{3,} [a-z]{3,}", said)

    def test_is_left_alone_where_it_is_a_persons_own(self):
        for own in ("call the mayor; he knows", "看过了: fine", "water rises fast (very fast)"):
            assert chinese(own) == own

    def test_is_english_to_english_readers(self):
        for sentence in WHOLE:
            assert say_sentence(sentence, templates("en").say, DESK) in {sentence, *_reworded(sentence)}


def _reworded(sentence: str) -> list[str]:
    """A code of a state and a refusal of the desk are told in the console's own words."""
    say = templates("en").say
    return (
        [say_sentence(sentence, say, DESK)]
        if re.search(r"released|submitted|there is no alert", sentence)
        else []
    )


class TestEveryTime:
    @pytest.mark.parametrize(("sentence", "times"), TIMES)
    def test_of_an_alarm_is_the_desk_s_in_both_languages(self, sentence, times):
        for said in in_both(sentence):
            assert sorted(re.findall(r"20\d\d-\d\d-\d\d.\d\d:\d\d", said)) == times
            assert not re.search(r"18:30|16:00|12:00|\+00|-06:00|\dZ", said)

    @pytest.mark.parametrize(
        "path", [one for one in FILES if one.parent.name in ROOMS and timed(one)], ids=lambda path: path.stem
    )
    def test_that_a_room_writes_down_is_known_by_its_sentence(self, path):
        told = [one for one in timed(path) if not TO_PERSONS.search(one)]
        assert [one for one in told if any("18:30" in said for said in in_both(one))] == []

    @pytest.mark.parametrize(
        "strange", ["2026-02-31 10:00+00:00", "0001-01-01 00:00+14:00", "tomorrow", "07-01 02:00", ""]
    )
    def test_that_is_none_is_left_as_it_is(self, strange):
        for said in in_both(f"the certificate of its host expires at {strange or 7}; tell the source"):
            assert strange in said

    def test_in_a_stranger_s_name_is_left_as_it_is(self):
        name = f"a@b,{OTHER_ZONE}"
        for said in in_both(f"nws no longer lists it ({name}): is it over? Cancel it at the desk if so"):
            assert name in said


class TestEveryRefusal:
    def test_that_a_rule_may_meet_is_known_by_its_sentence(self):
        keys = {f"{code}.{why}" if why else code for _, code, why, _ in raised()}
        assert sorted(key for key in WRITTEN.values() if key not in refusals.WORDS) == []
        assert (
            sorted(key for key in WRITTEN.values() if key not in keys and key.split(".")[0] not in keys) == []
        )

    @pytest.mark.parametrize("form", WRITTEN)
    def test_is_read_in_chinese(self, form):
        assert CHINESE.search(chinese(re.sub(r"%\(\w+\)s", "7", form)))


class TestEveryAlarm:
    def test_has_a_name_in_chinese(self):
        named_here = {code: templates("zh-CN").say(words) for code, words in came_words.ALARMS.items()}
        lacking = {
            code: where for code, where in sounded().items() if not CHINESE.search(named_here.get(code, ""))
        }
        assert lacking == {}

    def test_that_has_a_name_is_raised_somewhere(self):
        assert sorted(came_words.ALARMS.keys() - sounded().keys()) == []


class TestEveryStep:
    def test_that_is_recorded_has_words(self):
        recorded = {
            node.args[0].value
            for path in FILES
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "record"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        }
        assert sorted(recorded - ACTIONS.keys()) == []

    def test_has_a_label_for_what_it_tells(self):
        told = {
            keyword.arg
            for path in FILES
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "record"
            and getattr(node.func.value, "id", "") in {"one", "step"}
            for keyword in node.keywords
        }
        assert sorted(told - LABELS.keys() - {None}) == []


class TestEveryFaultOfAFile:
    @pytest.mark.parametrize("path", sorted((GATEWAY / "audience").glob("*.py")), ids=lambda path: path.stem)
    def test_has_chinese_words(self, path):
        visit = SimpleNamespace(language="zh-CN", say=lambda words, **values: _filled(words, values))
        told = [
            _said(part)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Fault"
            for part in node.args[:2]
        ]
        said = {one: people_words.reason(visit, one) for one in told}
        said |= {
            one: people_words.reason(visit, one.replace("7", "role")) for one in told if said[one] == one
        }
        assert [one for one, words in said.items() if one and not CHINESE.search(words)] == []


def _filled(words: str, values: dict[str, object]) -> str:
    spoken = templates("zh-CN").say(words)
    return spoken % values if values else spoken


def test_a_person_s_words_of_many_points_are_left_as_they_are_in_no_time():
    points = "; ".join(f"{number}: 区域不对 ({number})" for number in range(60))
    assert say_sentence(points, lambda words: f"<{words}>", DESK) == points
