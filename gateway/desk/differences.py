"""What changed between two versions of an alert, word by word; Chinese is compared by characters."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gateway.alerts.language import tag_of
from gateway.alerts.model import Alert
from gateway.dispatch.contents import CONFIRM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TOKENS = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|\s+|[^\w\s]")
_LARGEST = 4_000_000
"""Product of two numbers of tokens above which texts are shown whole: the comparison is quadratic."""


class Piece(NamedTuple):
    """A piece of text, and on which side it stands."""

    side: Literal["both", "old", "new"]
    text: str


class Change(NamedTuple):
    """One text that differs."""

    what: str
    """``level``, ``channels``, ``starts``, ``ends``, ``area``, ``text`` (of a channel), or a field of CAP."""
    where: str
    """Language, or channel and language; empty where it holds for all."""
    pieces: tuple[Piece, ...]


class Version(NamedTuple):
    """What is compared."""

    level: str
    content: dict[str, Any]
    texts: Mapping[str, Mapping[str, Mapping[str, Any]]] | None
    plan: Mapping[str, Any] | None


def compare(old: str, new: str) -> tuple[Piece, ...]:
    """Return the pieces of two texts."""
    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    if len(before) * len(after) > _LARGEST:
        return (Piece("old", old), Piece("new", new))
    found: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Piece("both", "".join(before[i:j])))
            continue
        gone, come = "".join(before[i:j]), "".join(after[k:m])
        found += [Piece("old", gone)] if gone else []
        found += [Piece("new", come)] if come else []
    return tuple(found)


def differences(old: Version, new: Version) -> list[Change]:
    """Return what differs, in the order in which a page shows it; texts of channels last."""
    before, after = dict(_said(old)), dict(_said(new))
    keys = [*after, *(key for key in before if key not in after)]
    if old.texts is None or new.texts is None:  # a draft has no texts of channels to compare
        keys = [key for key in keys if key[0] != "text"]
    found = [
        Change(what, where, compare(before.get((what, where), ""), after.get((what, where), "")))
        for what, where in keys
        if before.get((what, where), "") != after.get((what, where), "")
    ]
    channels = _listed(_channels(old), _channels(new))
    return (
        [Change("channels", "", channels), *found] if any(one.side != "both" for one in channels) else found
    )


def _channels(version: Version) -> list[str]:
    return list((version.plan or {}).get("channels", ()))


def _listed(old: list[str], new: list[str]) -> tuple[Piece, ...]:
    """Return one piece for each name of two lists."""
    gone = [Piece("old", one) for one in old if one not in new]
    return (*(Piece("both" if one in old else "new", one) for one in new), *gone)


def _said(version: Version) -> Iterator[tuple[tuple[str, str], str]]:
    alert = Alert.model_validate(version.content)
    yield ("level", ""), version.level
    for info in reversed(alert.infos):
        yield from ((("area", tag_of(info)), "、".join(area.area_desc for area in info.areas)),)
    for info in reversed(alert.infos):  # of several blocks of a language the first one counts
        begins = info.onset or info.effective
        yield ("starts", ""), begins.isoformat(" ", "minutes") if begins else ""
        yield ("ends", ""), info.expires.isoformat(" ", "minutes") if info.expires else ""
        for name in ("event", "headline", "description", "instruction", "sender_name", "contact"):
            yield (name, tag_of(info)), getattr(info, name) or ""
    for channel, texts in sorted((version.texts or {}).items()):
        for key, content in sorted(texts.items()):
            if not key.endswith(CONFIRM):
                yield ("text", f"{channel}, {key}"), f"{content['subject']}\n{content['text']}"
