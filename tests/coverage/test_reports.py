"""The report as text, page and sheet."""

from __future__ import annotations

import csv
import re
from datetime import timedelta, timezone
from io import StringIO

import pytest
from lxml import etree
from rich.cells import cell_len
from sqlalchemy import insert

from channels.base import Proof
from gateway.clock import HandClock
from gateway.coverage import coverage, render_csv, render_html, render_text
from gateway.coverage.sheet import inert
from gateway.coverage.words import _WORDS, Words, percent, seconds
from gateway.store.tables import device_states
from tests.coverage.build import NORTH_1, RELEASED, SOUTH_1, Person, Sent, Try, build, record

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


@pytest.fixture
async def told(database):
    """The same, with a channel that took one of two tries."""
    built = await build(database, PEOPLE)
    await record(database, built, [(0, "sms", Try("throttled")), (0, "sms", Try("accepted", 2))])
    return await coverage(database, built.release, HandClock(RELEASED + timedelta(hours=1)))


@pytest.fixture
async def horns(database):
    """One loudspeaker on line, one that was never heard of."""
    people = [Person(NORTH_1, "device", {"radio": Sent(Proof.ACCEPTED)}, address=name) for name in "ab"]
    built = await build(database, people)
    async with database.begin() as connection:
        row = {"channel": "radio", "device": "a", "online": True, "at": RELEASED}
        await connection.execute(insert(device_states).values(row))
    return await coverage(database, built.release)


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

    @pytest.mark.parametrize(
        ("language", "line"),
        [
            ("zh", r"发送成功率\s+50\.0%\s+1 / 2\n"),
            ("en", r"Attempts accepted\s+50\.0%\s+1 / 2\n"),
            ("zh", r"email .*\s– 0/0\s+–\s+–\n"),
            ("en", r"sms .* 50\.0% 1/2\s+10:00\s+18:00\n"),
            ("zh", r"录入（至送审）\s+30\.0 s\s+30\.0 s\s+1\n"),
            ("zh", r"审核（送审至每人签署）\s+–\s+–\s+0\n"),
            ("en", r"All of it\s+1:00\s+1:00\s+1\n"),
            ("en", r"Devices on line\s+–\s+0 / 0\n"),
        ],
    )
    async def test_tries_and_the_time_at_the_desk_are_told(self, told, language, line):
        assert re.search(line, render_text(told, language))

    async def test_terminals_stand_by_township(self, horns):
        text = render_text(horns)
        assert re.search(r"设备在线率\s+50\.0%\s+1 / 2\n", text)
        assert re.search(r"北山镇\s+2\s+1\s+0\s+1\s+50\.0% 1/2\n", text)

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
        assert (low - high) / 250 == pytest.approx(1201 / 1202, abs=0.001)

    @pytest.mark.parametrize(
        ("language", "heading", "column", "cell"),
        [
            ("zh", "各渠道", "发送成功率", "1/2 50.0%"),
            ("en", "Channels", "Attempts accepted", "1/2 50.0%"),
            ("zh", "审批用时", "最长", "1:00"),
            ("en", "Time at the desk", "Longest", "1:00"),
        ],
    )
    async def test_tries_and_the_time_at_the_desk_are_shown(self, told, language, heading, column, cell):
        assert cell in cells(render_html(told, language), heading, column)

    async def test_terminals_are_shown_with_a_card(self, horns):
        page = render_html(horns)
        assert cells(page, "终端在线", "设备在线率") == ["1/2 50.0%", "1/2 50.0%"]
        assert cells(page, "终端在线", "从未上报") == ["1", "1"]
        (card,) = [
            div for div in etree.HTML(page).xpath("//div[@class='card']") if "设备在线率" in words_of(div)
        ]
        assert words_of(card).endswith("50.0% 1 / 2")

    async def test_without_terminals_there_is_a_dash_and_no_table(self, measured):
        page = render_html(measured)
        assert "终端在线" not in page
        assert "设备在线率 Devices on line – 0 / 0" in words_of(etree.HTML(page).find(".//main"))

    async def test_the_curve_names_its_axes_in_hundredths(self, measured):
        tree = etree.HTML(render_html(measured))
        places = [
            (span.text.strip(), span.get("style"))
            for span in tree.xpath("//span[starts-with(@class,'across')]")
        ]
        assert places[0] == ("0", "left:0.0%")
        assert places[-1] == ("20:00", "left:100.0%")

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


def words_of(element):
    return " ".join(" ".join(element.itertext()).split())


def cells(page, heading, column):
    """The cells below a column of the table under a heading."""
    (section,) = [
        one for one in etree.HTML(page).iter("section") if words_of(one.find("h2")).startswith(heading)
    ]
    names = [words_of(name) for name in section.xpath(".//thead//th")]
    place = next(number for number, name in enumerate(names) if name.startswith(column))
    rows = [row.xpath("./th|./td") for row in section.xpath(".//tbody/tr|.//tfoot/tr")]
    return [words_of(row[place]) for row in rows if len(row) == len(names)]


class TestSheet:
    def rows(self, text):
        assert text.startswith("\ufeff")
        return list(csv.DictReader(StringIO(text[1:], newline="")))

    async def test_it_is_one_table_that_adds_up(self, measured):
        rows = [row for row in self.rows(render_csv(measured, "en")) if row["Figure"] == "Reached"]
        people = [int(row["Intended"]) for row in rows if row["Section"] == "Townships"]
        (whole,) = [row for row in rows if row["Section"] == "All"]
        assert sum(people) == int(whole["Intended"]) == int(whole["Denominator"]) == 1202
        assert (whole["Numerator"], whole["Percent"]) == ("1201", "99.91")

    @pytest.mark.parametrize(
        ("language", "section", "name", "figure", "values"),
        [
            ("zh", "各渠道", "sms", "发送成功率", ("1", "2", "50.00", "")),
            ("en", "Channels", "All", "Attempts accepted", ("1", "2", "50.00", "")),
            ("en", "Channels", "email", "Attempts accepted", ("0", "0", "–", "")),
            ("zh", "终端在线", "全部", "设备在线率", ("0", "0", "–", "")),
            ("zh", "审批用时", "全程", "最长", ("", "", "", "60.0")),
            ("en", "Time at the desk", "Review, submission to each signature", "Median", ("",) * 4),
            ("en", "All", "People and devices", "First receipt", ("", "", "", "1.0")),
            ("en", "Townships", "北山镇", "Villages covered", ("1", "1", "100.00", "")),
        ],
    )
    async def test_each_figure_has_a_row(self, told, language, section, name, figure, values):
        rows = self.rows(render_csv(told, language))
        names = [Words(language)[key] for key in ("section", "name", "figure")]
        (row,) = [row for row in rows if [row[key] for key in names] == [section, name, figure]]
        assert tuple(row[Words(language)[key]] for key in ("part", "of", "percent", "seconds")) == values

    async def test_the_definitions_stand_in_it(self, measured):
        names = [row["名称"] for row in self.rows(render_csv(measured)) if row["表"] == "口径"]
        assert names == Words("zh").notes

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
