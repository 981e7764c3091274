"""How long 100,000 contacts take to come in, from CSV and from XLSX, with the real address checks.

Run: pytest -m benchmark -s tests/benchmarks/audience_import.py
"""

from __future__ import annotations

import csv
import time

import pytest
import xlsxwriter

from channels.base import adapter
from gateway.audience.contacts import import_contacts
from gateway.audience.county import load_county, synthetic_county
from gateway.store.database import Database

pytestmark = pytest.mark.benchmark

ROWS = 100_000
HEADER = ("编号", "姓名", "行政区划代码", "角色", "语言", "手机", "邮箱", "经度", "纬度", "分组")
CHECKS = {"sms": adapter("smpp").check_address, "email": adapter("smtp").check_address}


def rows(county):
    codes = [village.code for village in county.villages]
    for n in range(ROWS):
        mail = f"yanlian{n}@example.org" if n % 3 == 0 else ""
        place = (f"{106 + n % 900 / 1000}", f"{30 + n % 800 / 1000}")
        role, group = ("责任人", "值守") if n % 33 == 0 else ("居民", "")
        phone = f"199{n:08}"
        yield f"B{n}", f"演练乙{n}", codes[n % len(codes)], role, "zh-CN", phone, mail, *place, group


@pytest.fixture(scope="module")
def county():
    return synthetic_county(contacts=1)


@pytest.fixture(scope="module")
def csv_file(county, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "contacts.csv"
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows(county))
    return path


@pytest.fixture(scope="module")
def xlsx_file(county, tmp_path_factory):
    path = tmp_path_factory.mktemp("xlsx") / "contacts.xlsx"
    with xlsxwriter.Workbook(path, {"constant_memory": True, "strings_to_numbers": True}) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate((HEADER, *rows(county))):
            sheet.write_row(n, 0, row)
    return path


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["csv_file", "xlsx_file"])
async def test_it_brings_in_100_000_rows(kind, county, database_url, request):
    path = request.getfixturevalue(kind)
    async with Database(database_url) as database:
        await load_county(database, county)
        for occasion in ("new", "again"):
            begun = time.perf_counter()
            report = await import_contacts(database, path, CHECKS)
            print(f"\n{path.name} {occasion}: {time.perf_counter() - begun:.1f} s")  # noqa: T201 - its purpose
            assert report.read == ROWS
            assert report.created + report.updated == ROWS
