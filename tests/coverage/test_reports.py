"""The report as text, page and sheet."""

from __future__ import annotations

import csv
import re
from datetime import timedelta, timezone
from io import StringIO

import pytest
from lxml import etree
from rich.cells import cell_len

from channels.base import Proof
from gateway.clock import HandClock
from gateway.coverage import coverage, render_csv, render_html, render_text
from gateway.coverage.sheet import inert
from gateway.coverage.words import _WORDS, Words, percent, seconds
from tests.coverage.build import NORTH_1, RELEASED, SOUTH_1, Person, Sent, build

BEIJING = timezone(timedelta(hours=8))
PEOPLE = [
    *[Person(NORTH_1, "resident", {"sms": Sent(Proof.DELIVERED, second)}) for second in range(1, 1201)],
    Person(NORTH_1, "responsible", {"sms": Sent(Proof.CONFIRMED, 3, 9), "email": Sent(Proof.REJECTED)}),
    Person(SOUTH_1, "informant", {"sms": Sent(Proof.UNKNOWN), "wecom": Sent(Proof.ACCEPTED)}),
]


@pytest.fixture
async def measure(database):
    async def inner(people=PEOPLE, **how):
        built = await build(database, people, **how)
        return await coverage(database, built.release, HandClock(RELEASED + timedelta(hours=1)))

    return inner


@pytest.fixture
async def measured(measure):
    return await measure()


class TestText:
    @pytest.mark.parametrize("language", ["zh", "en"])
    async def test_columns_line_up_though_chinese_is_twice_as_wide(self, measured, language):
        lines = render_text(measured, language).splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith(Words(language)["townships"]))
        table = [line for line in lines[start + 2 : start + 7] if line.strip()]
        header, rule, *rows = table
        ends = {cell_len(row[: row.rindex("%") + 1]) for row in rows}
        assert cell_len(rule) >= cell_len(header)
        assert len(rows) == 2
        assert len(ends) == 1

    async def test_numerator_and_denominator_stand_beside_each_percentage(self, measured):
        text = render_text(measured)
        assert re.search(r"到达率\s+99\.9%\s+1,201 / 1,202", text)
        assert "100.0% 1,201/1,201" in text
        assert "100.0% 1/1" in text

    async def test_all_columns_of_a_township_and_a_channel_are_there(self, measured):
        text = render_text(measured, "en")
        assert re.search(r"北山镇\s+1,201\s+1,201\s+1,201\s+1\s+0\s+0\s", text)
        assert re.search(r"wecom\s+1\s+1\s+0\s+0\s+0\s+0\s", text)
        assert "First receipt" in text
        assert "T90" in text

    async def test_definitions_are_printed_with_it(self, measured):
        assert "绝不计为到达" in render_text(measured)
        assert "Unknown never counts as delivered" in render_text(measured, "en")

    async def test_a_drill_is_marked_in_both_languages(self, measure):
        text = render_text(await measure(mode="drill"))
        assert "【演练 DRILL】" in text.splitlines()[0]

    async def test_times_are_told_in_the_desks_zone(self, measured):
        assert "2026-07-01 10:00:00 +08:00" in render_text(measured, zone=BEIJING)
        assert "2026-07-01 02:00:00 +00:00" in render_text(measured)

    async def test_a_name_with_markup_is_printed_as_it_is(self, measure, database):
        measured = await measure()
        row = measured.channels[0].model_copy(update={"channel": "[red]x[/red]"})
        assert "[red]x[/red]" in render_text(measured.model_copy(update={"channels": (row,)}))

    async def test_another_language_is_refused(self, measured):
        with pytest.raises(ValueError, match="zh and en, not in fr"):
            render_text(measured, "fr")


class TestPage:
    @pytest.mark.parametrize("language", ["zh", "en"])
    async def test_it_is_whole_and_fetches_nothing(self, measured, language):
        page = render_html(measured, language)
        tree = etree.HTML(page)
        assert not tree.xpath("//script|//link|//img|//iframe|//object|//form")
        assert not tree.xpath("//*[@src or @onclick or @onload]")
        assert not re.search(r"url\(|@import", page)
        assert not re.search(r"https?://", page)

    async def test_its_curve_starts_at_nobody_and_ends_at_the_rate(self, measured):
        tree = etree.HTML(render_html(measured))
        (path,) = tree.xpath("//path[@class='reached']/@d")
        points = [tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]]
        assert points == sorted(points, key=lambda point: point[0])
        low, high = points[0][1], points[-1][1]
        assert (low - high) / (254 - 10) == pytest.approx(1201 / 1202, abs=0.001)

    async def test_chinese_headings_have_english_beneath(self, measured):
        tree = etree.HTML(render_html(measured))
        headings = {h.text.strip(): h.findtext("span") for h in tree.iter("h2")}
        assert headings["到达曲线"] == "Reached over time"
        assert headings["口径"] == "Definitions"
        assert not etree.HTML(render_html(measured, "en")).xpath("//h2/span")

    async def test_a_drill_is_a_drill_in_title_and_body(self, measure):
        tree = etree.HTML(render_html(await measure(mode="drill")))
        assert tree.findtext(".//title").startswith("[演练]")
        assert tree.xpath("//p[@class='drill']")

    async def test_the_issuer_is_told_in_the_reports_language(self, measured):
        head = measured.release.model_copy(update={"senders": {"en": "Invented Office", "zh-CN": "虚构台"}})
        told = measured.model_copy(update={"release": head})
        assert "<b>虚构台</b>" in render_html(told)
        assert "<b>Invented Office</b>" in render_html(told, "en")

    async def test_a_headline_cannot_bring_markup(self, measured):
        head = measured.release.model_copy(update={"headlines": {"zh-CN": "<script>1</script>"}})
        page = render_html(measured.model_copy(update={"release": head}))
        assert "<script>" not in page
        assert "&lt;script&gt;" in page

    async def test_a_release_without_receipts_has_a_page_too(self, measure):
        page = render_html(await measure([Person(NORTH_1, sent={"sms": Sent(Proof.PLANNED)})]))
        assert "尚无回执" in page


class TestSheet:
    def rows(self, text):
        assert text.startswith("\ufeff")
        return list(csv.DictReader(StringIO(text[1:], newline="")))

    async def test_it_is_one_table_that_adds_up(self, measured):
        rows = self.rows(render_csv(measured, "en"))
        people = [int(row["Intended"]) for row in rows if row["Section"] == "Townships"]
        (whole,) = [row for row in rows if row["Section"] == "All"]
        assert sum(people) == int(whole["Intended"]) == 1202
        assert whole["Reached %"] == "99.91"

    async def test_each_row_says_that_it_is_a_drills(self, measure):
        rows = self.rows(render_csv(await measure(mode="drill")))
        assert all(row["类型"].startswith("演练") for row in rows)

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " ="])
    def test_no_cell_is_a_formula(self, start):
        assert inert(f"{start}1+1").startswith("'")

    async def test_a_name_that_looks_like_a_formula_is_quoted(self, measured):
        row = measured.townships[0].model_copy(update={"name": "=HYPERLINK(1)"})
        text = render_csv(measured.model_copy(update={"townships": (row,)}))
        assert '"\'=HYPERLINK(1)"' in text


class TestFigures:
    @pytest.mark.parametrize(
        ("rate", "shown"),
        [(None, "–"), (0.0, "0.0%"), (1.0, "100.0%"), (0.99999, "99.9%"), (0.29, "29.0%"), (2 / 3, "66.6%")],
    )
    def test_percentages_are_cut_so_that_only_everybody_is_a_hundred(self, rate, shown):
        assert percent(rate) == shown

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, "–"),
            (0, "0"),
            (0.84, "0.8 s"),
            (59.94, "59.9 s"),
            (60, "1:00"),
            (3599, "59:59"),
            (3725, "1:02:05"),
        ],
    )
    def test_times_are_short(self, value, shown):
        assert seconds(value) == shown

    def test_every_word_is_in_both_languages(self):
        assert all(len(pair) == 2 and all(pair) for pair in _WORDS.values())
