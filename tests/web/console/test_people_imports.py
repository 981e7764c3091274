"""A file of contacts or regions: checked, agreed to, brought in; a bad one leaves nothing behind."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import zipfile
from datetime import timedelta

import pytest
from aiohttp import FormData
from sqlalchemy import func, select, update
from xlsxwriter import Workbook

from gateway.desk import importing
from gateway.store.console_tables import imports as table
from gateway.store.desk import Person
from gateway.store.tables import addresses, audit, contacts, regions
from gateway.web.console.imports import JOBS
from gateway.web.console.parts import CONSOLE
from tests.desk.conftest import NORTH, SOUTH

GOOD = (
    "编号,姓名,行政区划代码,角色,手机\n"
    f"YL-1,演练甲,{NORTH},责任人,19900000061\n"
    f"YL-2,演练乙,{SOUTH},,19900000062\n"
)
BAD = (
    "编号,姓名,行政区划代码,手机\n"
    f"YL-1,演练甲,{NORTH},12\n"
    "YL-2,,无此镇,19900000062\n"
    f"YL-3,演练丙,{NORTH},19900000063\n"
    f'YL-4,"=HYPERLINK(1)",{NORTH},+1\n'
)


def form(data: bytes | str, name: str = "people.csv", kind: str = "contacts", **fields: str) -> FormData:
    made = FormData({"kind": kind} | fields, quote_fields=False)
    made.add_field("file", io.BytesIO(data.encode() if isinstance(data, str) else data), filename=name)
    return made


def workbook(rows) -> bytes:
    file = io.BytesIO()
    with Workbook(file) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate(rows):
            for m, cell in enumerate(row):
                sheet.write(n, m, cell)
    return file.getvalue()


def bomb() -> bytes:
    """A workbook of some kilobytes that unpacks to 300 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            for _ in range(300):
                part.write(b" " * (1 << 20))
    return file.getvalue()


@pytest.fixture
def idle(server):
    """Waits until no file is under way."""
    [console] = [app for app in server.app._subapps if CONSOLE in app]

    async def wait() -> None:
        await asyncio.wait_for(console[JOBS].idle(), 30)

    return wait


@pytest.fixture
async def browser(visitor):
    return await visitor("registrar")


async def one(database, query):
    async with database.begin() as connection:
        return (await connection.execute(query)).one()


async def counted(database):
    async with database.begin() as connection:
        return tuple(
            [
                (await connection.execute(select(func.count()).select_from(one))).scalar_one()
                for one in (contacts, addresses, regions)
            ]
        )


async def logged(database):
    async with database.begin() as connection:
        rows = await connection.execute(
            select(audit.c.actor, audit.c.detail).where(audit.c.action == "imported")
        )
        return [(row.actor, json.loads(row.detail)) for row in rows]


class TestAGoodFile:
    @pytest.mark.parametrize("packed", [False, True])
    async def test_changes_nothing_until_its_sender_agrees(self, browser, database, idle, packed):
        rows = [line.split(",") for line in GOOD.splitlines()]
        sent = form(workbook(rows), "people.xlsx") if packed else form(GOOD)
        path = (await browser.post("/people/imports", sent)).location
        await idle()
        page = await browser.get(path)
        assert "Waits for your confirmation" in page.text
        assert await counted(database) == (4, 12, 3)
        answer = await browser.post(f"{path}/confirm", {"once": page.once()})
        assert answer.location == path
        await idle()
        assert "Brought in" in (await browser.get(path)).text
        assert await counted(database) == (6, 14, 3)

    async def test_is_logged_without_an_address(self, browser, database, idle):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        await browser.post(f"{path}/confirm")
        await idle()
        [(actor, detail)] = await logged(database)
        assert actor == "registrar"
        assert {name: detail[name] for name in ("kind", "read", "created", "refused_rows")} == {
            "kind": "contacts",
            "read": 2,
            "created": 2,
            "refused_rows": 0,
        }
        assert len(detail["sha256"]) == 64
        assert not re.search(r"199\d{8}", json.dumps(detail))

    async def test_is_brought_in_once_however_often_it_is_clicked(self, browser, database, idle):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        await asyncio.gather(*(browser.post(f"{path}/confirm") for _ in range(4)))
        await idle()
        assert len(await logged(database)) == 1
        assert (await browser.post(f"{path}/confirm")).status == 422

    async def test_is_forgotten_when_it_was_brought_in_or_an_hour_has_passed(
        self, browser, database, idle, clock
    ):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        clock.advance(timedelta(hours=1, seconds=1).total_seconds())
        await browser.get("/people/imports")
        assert (await one(database, select(table.c.data))).data is None
        assert "send it again" in (await browser.get(path)).text
        assert (await browser.post(f"{path}/confirm")).status == 422
        assert await counted(database) == (4, 12, 3)

    async def test_of_regions_with_borders(self, browser, database, idle):
        square = {"type": "Polygon", "coordinates": [[[106, 30], [106.1, 30], [106.1, 30.1], [106, 30]]]}
        feature = {
            "type": "Feature",
            "properties": {"code": "999901103", "name": "东山镇"},
            "geometry": square,
        }
        sent = form(
            json.dumps({"type": "FeatureCollection", "features": [feature]}), "towns.geojson", "regions"
        )
        path = (await browser.post("/people/imports", sent)).location
        await idle()
        assert await counted(database) == (4, 12, 3)
        await browser.post(f"{path}/confirm")
        await idle()
        assert await counted(database) == (4, 12, 4)
        [(_, detail)] = await logged(database)
        assert (detail["kind"], detail["created"]) == ("regions", 1)


class TestABadFile:
    """S5: bombs, formulas, names and what is no file."""

    @pytest.mark.parametrize(
        ("data", "name", "said"),
        [
            ("a,b,c\n1,2,3\n", "people.csv", "no column for name (姓名) and region"),
            ("", "people.csv", "The file is empty"),
            ("姓名,区划\n", "people.csv", "No row of this file can be brought in"),
            (b"PK\x03\x04 this is no workbook", "people.xlsx", "no readable workbook"),
            (b"\xd0\xcf\x11\xe0 locked", "people.xls", "an old or a locked Excel file"),
            (bomb(), "people.xlsx", "larger than 256 MB unpacked"),
            (
                workbook([["姓名", "区划", "手机"], ["=1+1", "=A1", "=A1"]]),
                "people.xlsx",
                "No row of this file",
            ),
        ],
        ids=["columns", "empty", "header only", "broken", "old", "bomb", "formulas"],
    )
    async def test_is_refused_with_the_reason_and_leaves_nothing(
        self, browser, database, idle, data, name, said
    ):
        answer = await browser.post("/people/imports", form(data, name))
        await idle()
        text = (await browser.get(answer.location)).text if answer.status == 303 else answer.text
        assert said in text
        if answer.status == 303:
            assert (await browser.post(f"{answer.location}/confirm")).status == 422
        await idle()
        assert await counted(database) == (4, 12, 3)
        assert await logged(database) == []
        async with database.begin() as connection:
            assert [row.data for row in await connection.execute(select(table.c.data))] in ([], [None])

    async def test_with_some_bad_rows_is_brought_in_only_where_that_is_agreed_to(
        self, browser, database, idle
    ):
        path = (await browser.post("/people/imports", form(BAD))).location
        await idle()
        text = (await browser.get(path)).text
        assert "no loaded region has this name" in text
        assert "the cell is empty" in text
        answer = await browser.post(f"{path}/confirm")
        assert "3 rows would be left out" in answer.text
        await idle()
        assert await counted(database) == (4, 12, 3)
        await browser.post(f"{path}/confirm", {"partly": "1"})
        await idle()
        assert await counted(database) == (5, 13, 3)

    async def test_says_what_is_wrong_in_chinese(self, visitor, idle):
        browser = await visitor("registrar", "zh-CN")
        path = (await browser.post("/people/imports", form(BAD))).location
        await idle()
        text = (await browser.get(path)).text
        assert "没有此名称的区域" in text
        assert "号码位数不对" in text
        assert not re.search(r"the cell|no loaded|fill it", text)

    async def test_has_a_report_whose_cells_are_never_computed(self, browser, idle):
        title = '=cmd|"/c calc"!A1'
        data = f"姓名,区划,手机,{title}\n,=1+1,+12,@x\n" + f"演练,{NORTH},19900000061,\n"
        path = (await browser.post("/people/imports", form(data))).location
        await idle()
        answer = await browser.get(f"{path}/report.csv")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        cells = [cell for row in csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))) for cell in row]
        assert "the cell is empty" in cells
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
        assert "19900000061" not in answer.text
        assert "<img" not in (await browser.get(path)).text

    async def test_shows_its_name_as_text_and_writes_nothing_under_it(self, browser, idle, tmp_path):
        hostile = "../../<img src=x onerror=alert(1)>.csv"
        path = (await browser.post("/people/imports", form(GOOD, hostile))).location
        await idle()
        text = (await browser.get(path)).text
        assert "<img" not in text
        assert "&lt;img" in text
        assert list(tmp_path.rglob("*.csv")) == []

    @pytest.mark.parametrize(
        ("name", "safe"),
        [
            ("../../etc/passwd", "passwd"),
            (r"C:\Users\x\people.csv", "people.csv"),
            ("a\r\nSet-Cookie: x.csv", "aSet-Cookie: x.csv"),
            ("", "-"),
            ("..", ".."),
            ("x" * 300 + ".csv", "x" * 96 + ".csv"),
        ],
    )
    def test_loses_what_is_dangerous_in_its_name(self, name, safe):
        assert importing.safe_name(name) == safe

    async def test_that_is_too_large_is_refused(self, browser, database):
        answer = await browser.post("/people/imports", form(b"x" * (13 << 20)))
        assert answer.status == 413
        async with database.begin() as connection:
            assert (await connection.execute(select(func.count()).select_from(table))).scalar_one() == 0


class TestOneAtATime:
    async def test_a_second_file_waits(self, browser, database, idle, clock):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        async with database.begin() as connection:
            await connection.execute(update(table).values(state="running"))
        answer = await browser.post("/people/imports", form(GOOD))
        assert (answer.status, "Another file is under way" in answer.text) == (422, True)
        assert "hx-trigger" in (await browser.get(path)).text

    async def test_one_whose_process_was_stopped_gives_way(self, browser, database, idle, clock):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        async with database.begin() as connection:
            await connection.execute(update(table).values(state="running"))
        clock.advance(importing.SILENT.total_seconds() + 1)
        assert "was interrupted" in (await browser.get(path)).text
        assert (await browser.post("/people/imports", form(GOOD))).status == 303
        await idle()

    async def test_htmx_gets_the_part_that_changes(self, browser, idle):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        part = await browser.get(path, **{"HX-Request": "true"})
        assert part.text.lstrip().startswith("<div")
        assert "<html" not in part.text


class TestRights:
    async def test_whoever_may_not_sends_nothing(self, visitor):
        for login in ("author", "first", "auditor", "leader"):
            answer = await (await visitor(login)).post("/people/imports", form(GOOD))
            assert answer.status == 403

    async def test_another_person_cannot_agree(self, visitor, browser, database, idle):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        assert (await (await visitor("admin")).post(f"{path}/confirm")).status == 422
        assert await counted(database) == (4, 12, 3)

    async def test_whoever_lost_the_right_meanwhile_brings_nothing_in(self, browser, database, desk, idle):
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        async with database.begin() as connection:
            await connection.execute(update(table).values(state="running"))
        await desk.set_person(Person("registrar", "虚构 registrar", ("author",), active=True))
        number = int(path.rpartition("/")[2])
        await importing.bring(database, desk.clock, desk.office.policy, number, {"sms": str}, None)
        assert (await one(database, select(table.c.state))).state == "failed"
        assert await counted(database) == (4, 12, 3)

    async def test_whoever_s_area_became_narrow_meanwhile_loads_no_regions(
        self, browser, database, desk, idle
    ):
        data = f"code,name\n{SOUTH},虚构改名\n".encode()
        path = (await browser.post("/people/imports", form(data, "regions.csv", "regions"))).location
        await idle()
        assert (await one(database, select(table.c.state))).state == "ready"
        narrow = Person("registrar", "虚构 registrar", ("registrar",), active=True, region=SOUTH)
        await desk.set_person(narrow)
        async with database.begin() as connection:
            await connection.execute(update(table).values(state="running"))
        number = int(path.rpartition("/")[2])
        await importing.bring(database, desk.clock, desk.office.policy, number, {"sms": str}, None)
        assert (await one(database, select(table.c.state))).state == "failed"


class TestArea:
    @pytest.fixture
    async def local(self, desk, visitor):
        await desk.set_person(Person("local", "虚构 local", ("registrar",), active=True, region=SOUTH))
        return await visitor("local")

    async def test_rows_of_another_area_are_left_out(self, local, database, idle):
        path = (await local.post("/people/imports", form(GOOD))).location
        await idle()
        assert "no loaded region has this code" in (await local.get(path)).text
        await local.post(f"{path}/confirm", {"partly": "1"})
        await idle()
        async with database.begin() as connection:
            rows = await connection.execute(select(contacts.c.region).where(contacts.c.id > 4))
            assert [row.region for row in rows] == [SOUTH]

    async def test_a_number_of_another_area_moves_nobody(self, local, database, idle):
        async with database.begin() as connection:
            await connection.execute(update(contacts).where(contacts.c.id == 1).values(external_id="YL-2"))
        path = (await local.post("/people/imports", form(GOOD))).location
        await idle()
        assert "the number belongs to a contact of another area" in (await local.get(path)).text
        await local.post(f"{path}/confirm", {"partly": "1"})
        await idle()
        assert (await one(database, select(contacts.c.region).where(contacts.c.id == 1))).region == NORTH

    async def test_regions_and_the_files_of_others_are_not_theirs(self, local, browser, idle):
        assert (await local.post("/people/imports", form("代码,名称\n", kind="regions"))).status == 422
        path = (await browser.post("/people/imports", form(GOOD))).location
        await idle()
        assert (await local.get(path)).status == 404
        assert path not in (await local.get("/people/imports")).text
