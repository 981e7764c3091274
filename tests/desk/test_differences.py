"""What changed between two versions, word by word."""

from __future__ import annotations

import pytest

from gateway.desk.compose import Changes
from gateway.desk.differences import Piece, Version, compare, differences

from .conftest import SOUTH, ready


def version(row) -> Version:
    return Version(row.level, row.content, row.texts, row.plan)


class TestTexts:
    @pytest.mark.parametrize(
        ("old", "new", "pieces"),
        [
            ("大雨", "大雨", [("both", "大雨")]),
            ("50毫米", "100毫米", [("old", "50"), ("new", "100"), ("both", "毫米")]),
            ("北山镇", "北山镇、南湖镇", [("both", "北山镇"), ("new", "、南湖镇")]),
            ("stay inside", "stay outside", [("both", "stay "), ("old", "inside"), ("new", "outside")]),
            ("", "大雨", [("new", "大雨")]),
            ("a\u202eb", "ab", [("old", "a\u202eb"), ("new", "ab")]),
        ],
    )
    def test_are_compared_by_characters_and_words(self, old, new, pieces):
        assert list(compare(old, new)) == [Piece(*one) for one in pieces]

    def test_nothing_of_either_is_lost(self):
        old, new = "过去3小时 rain_fall：50 mm！\n请转移", "未来6小时 rainfall: 80 mm\n\n请立即转移🙂"
        pieces = compare(old, new)
        assert "".join(one.text for one in pieces if one.side != "new") == old
        assert "".join(one.text for one in pieces if one.side != "old") == new

    def test_of_enormous_length_are_shown_whole(self):
        old, new = "雨" * 3000, "风" * 3000
        assert compare(old, new) == (Piece("old", old), Piece("new", new))


class TestVersions:
    async def test_that_are_the_same_differ_in_nothing(self, desk):
        row = await ready(desk)
        assert differences(version(row), version(row)) == []

    async def test_differ_in_what_was_edited_and_in_each_text_that_says_it(self, desk):
        row = await ready(desk)
        await desk.edit(row.id, "author", Changes(instruction="请立即转移", region=SOUTH, channels=("sms",)))
        again = await desk.submit(row.id, "author")
        found = {(one.what, one.where) for one in differences(version(row), version(again))}
        assert {
            ("channels", ""),
            ("area", "zh-CN"),
            ("instruction", "zh-CN"),
            ("text", "sms, zh-CN"),
        } <= found
        assert not {"level", "event", "ends"} & {what for what, _ in found}
