from __future__ import annotations

import random
import struct
import zipfile

import asyncpg
import pytest
import xlsxwriter

from gateway.audience.contacts import import_contacts
from gateway.audience.lines import FileRefused, Limits
from gateway.audience.sheets import read_lines

HEADER = "编号,姓名,行政区划代码,角色,语言,手机,邮箱,经度,纬度,分组"
GOOD = "A1,演练甲1,990101003200,责任人,zh-CN,199 9000 0001,A1@example.org,106.5,30.6,值守;防汛"
VILLAGE = "990101003200"


@pytest.fixture
def write(tmp_path):
    def write(*rows, header=HEADER, encoding="utf-8", name="contacts.csv", end="\n"):
        path = tmp_path / name
        path.write_bytes(end.join((header, *rows)).encode(encoding))
        return path

    return write


@pytest.fixture
def bring(loaded, checks):
    async def bring(path, **options):
        return await import_contacts(loaded, path, checks, **options)

    return bring


@pytest.fixture
def query(loaded):
    async def query(statement, *arguments):
        connection = await asyncpg.connect(loaded.url)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]
        finally:
            await connection.close()

    return query


def reasons(report):
    return [(error.row, error.column, error.reason) for error in report.refused]


class TestAGoodRow:
    async def test_it_comes_in_whole(self, bring, write, query):
        report = await bring(write(GOOD))
        assert (report.read, report.created, report.updated, report.refused) == (1, 1, 0, [])
        (contact,) = await query("SELECT * FROM contacts WHERE external_id = 'A1'")
        assert contact[2:8] == ("演练甲1", VILLAGE, "responsible", "zh-CN", 106.5, 30.6)
        of_it = "WHERE contact_id = $1"
        assert await query(f"SELECT channel, address FROM addresses {of_it} ORDER BY id", contact[0]) == [
            ("sms", "8619990000001"),
            ("email", "a1@example.org"),
        ]
        groups = await query(
            f"SELECT name FROM contact_groups JOIN group_members ON group_id = id {of_it}", contact[0]
        )
        assert {name for (name,) in groups} == {"值守", "防汛"}

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    async def test_every_encoding_of_a_county_office_reads_alike(self, bring, write, encoding, end, query):
        report = await bring(write(GOOD, encoding=encoding, end=end))
        assert reasons(report) == []
        assert await query("SELECT name FROM contacts WHERE external_id = 'A1'") == [("演练甲1",)]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    async def test_comma_semicolon_and_tab_part_cells(self, bring, write, delimiter):
        row = "A1,演练甲1,990101003200,19900000001"
        header = "编号,姓名,行政区划代码,手机"
        report = await bring(write(row.replace(",", delimiter), header=header.replace(",", delimiter)))
        assert report.created == 1

    async def test_english_headers_do_as_well(self, bring, write):
        report = await bring(
            write("A1,Yanlian,990101003,resident,19900000001", header="ID,Full Name,Region Code,Role,Phone")
        )
        assert (report.created, report.unknown_columns) == (1, [])

    @pytest.mark.parametrize(
        "region", ["990101003200", "99010100320000", "柳溪镇高坎村", "柳溪镇 高坎村", "柳溪镇"]
    )
    async def test_a_region_may_be_a_code_or_a_name(self, bring, write, region, query, county):
        name = next(one.name for one in county.villages if one.code == VILLAGE)
        await bring(write(f"A1,演练,{region.replace('高坎村', name)}", header="编号,姓名,所在村"))
        ((found,),) = await query("SELECT region FROM contacts WHERE external_id = 'A1'")
        assert found == (VILLAGE if "村" in region or region[0] == "9" else "990101003000")

    async def test_several_addresses_keep_their_order(self, bring, write, query):
        header = "编号,姓名,区划,手机2,手机"
        await bring(write("A1,演练,990101003,19900000001;19900000002,19900000003", header=header))
        found = await query(
            "SELECT address FROM addresses JOIN contacts c ON c.id = contact_id"
            " WHERE external_id = 'A1' ORDER BY addresses.id"
        )
        assert [address[-1] for (address,) in found] == ["1", "2", "3"]

    async def test_another_order_of_the_same_addresses_is_a_change(self, bring, write, query):
        header = "编号,姓名,区划,手机"
        await bring(write("A1,演练,990101003,19900000001;19900000002", header=header))
        await bring(write("A1,演练,990101003,19900000002;19900000001", header=header))
        found = await query(
            "SELECT address FROM addresses JOIN contacts c ON c.id = contact_id"
            " WHERE external_id = 'A1' ORDER BY addresses.id"
        )
        assert [address[-1] for (address,) in found] == ["2", "1"]

    async def test_a_row_that_brings_nothing_new_writes_nothing(self, bring, write, query):
        await bring(write(GOOD))
        both = (
            "SELECT c.xmin::text, a.xmin::text, a.id FROM contacts c JOIN addresses a ON contact_id = c.id"
            " WHERE external_id = 'A1' ORDER BY a.id"
        )
        before = await query(both)
        assert (await bring(write(GOOD))).updated == 1
        assert await query(both) == before

    async def test_an_address_that_is_left_out_is_gone(self, bring, write, query):
        await bring(write(GOOD))
        await bring(write(GOOD.replace("199 9000 0001,A1@example.org", ",")))
        assert await query(
            "SELECT count(*) FROM addresses JOIN contacts c ON c.id = contact_id WHERE external_id = 'A1'"
        ) == [(0,)]

    async def test_invisible_marks_around_a_number_are_dropped(self, bring, write):
        report = await bring(write("A1,演练,990101003,\u202d19900000001\u202c", header="编号,姓名,区划,手机"))
        assert report.created == 1

    async def test_text_like_a_formula_stays_text_and_is_noted(self, bring, write, query):
        report = await bring(write("A1,=HYPERLINK(1),990101003", header="编号,姓名,区划"))
        assert await query("SELECT name FROM contacts WHERE external_id = 'A1'") == [("=HYPERLINK(1)",)]
        assert "a text begins like a formula" in [note.reason for note in report.notes]


class TestABadRow:
    @pytest.mark.parametrize(
        ("row", "column", "reason"),
        [
            ("B,,990101003,,,,,,,", "姓名", "the cell is empty"),
            ("B,名,,,,,,,,", "行政区划代码", "the cell is empty"),
            ("B,名,990199,,,,,,,", "行政区划代码", "no loaded region has this code"),
            ("B,名,12345,,,,,,,", "行政区划代码", "a division code has 6, 9, 12 or 14 digits"),
            ("B,名,000000,,,,,,,", "行政区划代码", "a division code of zeros names no division"),
            (
                "B,名,9.90101E+11,,,,,,,",
                "行政区划代码",
                "a spreadsheet turned the code into a rounded number",
            ),
            ("B,名,某地,,,,,,,", "行政区划代码", "no loaded region has this name"),
            ("B,名,990101003,县长,,,,,,", "角色", "an unknown role"),
            ("B,名,990101003,,火星话,,,,,", "语言", "an unknown language"),
            ("B,名,990101003,,,12345,,,,", "手机", "a mobile number has 11 digits"),
            ("B,名,990101003,,,19900000001;12345,,,,", "手机", "a mobile number has 11 digits"),
            ("B,名,990101003,,,,nobody,,,", "邮箱", "a mail address has one @"),
            ("B,名,990101003,,,,,abc,30,", "经度", "no coordinate in degrees"),
            ("B,名,990101003,,,,,nan,30,", "经度", "no coordinate in degrees"),
            ("B,名,990101003,,,,,106,,", "", "one coordinate is missing"),
            ("B,名,990101003,,,,,30,106,", "", "the latitude does not exist"),
            ("B,名\x00,990101003,,,,,,,", "姓名", "a line break or control character in the cell"),
            (
                "B,名,990101003,,,,a@example.org\x0bx,,,",
                "邮箱",
                "a line break or control character in the cell",
            ),
            (
                'B,"名,990101003,,,,,,,',
                "",
                "quotation marks do not match on this line; a cell must not hold a line break",
            ),
            (f"B,{'名' * 101},990101003,,,,,,,", "姓名", "longer than 100 characters"),
        ],
    )
    async def test_it_is_refused_with_its_reason_and_the_others_come_in(
        self, bring, write, query, row, column, reason
    ):
        report = await bring(write(row, GOOD))
        assert reasons(report) == [(2, column, reason)]
        assert all(error.way_out for error in report.refused)
        assert (report.read, report.created) == (2, 1)
        assert await query("SELECT count(*) FROM contacts WHERE external_id = 'B'") == [(0,)]

    async def test_all_its_faults_are_told_at_once(self, bring, write):
        report = await bring(write("B,,990199,县长,,12345,,,,"))
        assert len(report.refused) == 4
        assert report.refused_rows == 1

    async def test_no_address_stands_in_a_report(self, bring, write):
        rows = (
            "B,名,990101003,,,19900001234567,x19900002222,,,",
            "C,名,990101003,,,19900000001,,,,",
            "D,名,990101003,,,19900000001,,,,",
        )
        report = await bring(write(*rows))
        assert report.refused
        assert report.notes
        assert "19900" not in str(report.as_json())

    async def test_a_file_without_headers_does_not_give_people_away_either(self, bring, write):
        with pytest.raises(FileRefused, match="the first row must name the columns") as refused:
            await bring(write(header=GOOD))
        assert "0001" not in str(refused.value)
        report = await bring(
            write("A1,演练,990101003,x", header="编号,姓名,区划,199 9000 0001 / 19900000002")
        )
        assert "19900000002" not in str(report.unknown_columns)

    async def test_an_open_quotation_mark_spoils_its_own_line_only(self, bring, write):
        rows = [f"A{n},演练{n},990101003,,,,,,," for n in range(50)]
        rows[10] = 'A10,"演练,990101003,,,,,,,'
        report = await bring(write(*rows))
        assert [error.row for error in report.refused] == [12]
        assert report.created == 49

    async def test_a_wrong_byte_spoils_its_own_line_only(self, bring, write):
        rows = [f"A{n},演练{n},990101003,,,,,,," for n in range(10)]
        path = write(*rows)
        path.write_bytes(path.read_bytes().replace("演练5".encode(), b"\xff\xfe5"))
        report = await bring(path)
        assert [(error.row, "UTF-8" in error.reason) for error in report.refused] == [(7, True)]
        assert report.created == 9

    async def test_half_a_character_of_utf_16_spoils_its_own_line_only(self, bring, write, query):
        rows = [f"A{n},演练{n},990101003,,,,,,," for n in range(10)]
        path = write(*rows, encoding="utf-16")
        path.write_bytes(path.read_bytes().replace("练5".encode("utf-16-le"), b"\x00\xd85\x00"))
        report = await bring(path)
        assert reasons(report) == [(7, "", "a character that is cut in half; save the file as UTF-8")]
        assert report.created == 9
        assert await query("SELECT count(*) FROM contacts WHERE name LIKE '%\ufffd%'") == [(0,)]

    async def test_utf_16_that_ends_in_the_middle_of_a_character_loses_its_last_line_only(self, bring, write):
        rows = [f"A{n},演练{n},990101003,,,,,,," for n in range(3)]
        path = write(*rows, encoding="utf-16")
        path.write_bytes(path.read_bytes()[:-1])
        report = await bring(path)
        assert [error.row for error in report.refused] == [4]
        assert report.created == 2

    async def test_an_error_of_the_spreadsheet_is_no_name(self, bring, write):
        report = await bring(write("B,#REF!,990101003,,,,,,,", GOOD))
        assert reasons(report) == [(2, "姓名", "the cell holds the spreadsheet's error #REF!")]
        assert report.created == 1

    async def test_carriage_returns_inside_a_cell_are_refused_by_us(self, bring, write):
        report = await bring(write('B,名,990101003,,,,"a@example.org\rBcc: b@example.org",,,', GOOD))
        assert [error.row for error in report.refused] == [2]
        assert report.created == 1


class TestDoubles:
    async def test_the_same_number_updates_the_contact(self, bring, write, query):
        await bring(write(GOOD))
        report = await bring(write(GOOD.replace("演练甲1", "演练甲2").replace("0001", "0009")))
        assert (report.created, report.updated) == (0, 1)
        found = await query(
            "SELECT name, address FROM contacts c JOIN addresses ON contact_id = c.id"
            " WHERE external_id = 'A1' AND channel = 'sms'"
        )
        assert found == [("演练甲2", "8619990000009")]

    async def test_what_the_file_has_no_column_for_stays(self, bring, write, query):
        await bring(write(GOOD))
        await bring(write("A1,演练甲3,990101003200", header="编号,姓名,区划"))
        found = await query(
            "SELECT name, role, lon, (SELECT count(*) FROM addresses WHERE contact_id = c.id),"
            " (SELECT count(*) FROM group_members WHERE contact_id = c.id)"
            " FROM contacts c WHERE external_id = 'A1'"
        )
        assert found == [("演练甲3", "responsible", 106.5, 2, 2)]

    async def test_without_a_number_name_region_and_address_tell_who_it_is(self, bring, write):
        row = "演练丁,990101003200,19900007777"
        first = await bring(write(row, header="姓名,区划,手机"))
        again = await bring(write(row, header="姓名,区划,手机"))
        assert (first.created, again.created, again.updated) == (1, 0, 1)

    async def test_a_number_that_is_added_later_goes_to_the_same_contact(self, bring, write, query):
        row = "双甲,990101001201,19911110001"
        await bring(write(row, header="姓名,行政区划代码,手机"))
        report = await bring(write(f"ZZ1,{row}", header="编号,姓名,行政区划代码,手机"))
        assert (report.created, report.updated, report.notes) == (0, 1, [])
        assert await query("SELECT external_id FROM contacts WHERE name = '双甲'") == [("ZZ1",)]
        moved = row.replace("1201", "1200").replace("0001", "0002")
        again = await bring(write(f"ZZ1,{moved}", header="编号,姓名,行政区划代码,手机"))
        assert (again.created, again.updated) == (0, 1)

    async def test_one_of_several_addresses_is_enough_for_a_number_to_find_its_contact(self, bring, write):
        await bring(write("双甲,990101001201,19911110001", header="姓名,区划,手机"))
        row = "ZZ1,双甲,990101001201,19911119999;19911110001"
        report = await bring(write(row, header="编号,姓名,区划,手机"))
        assert (report.created, report.updated) == (0, 1)

    @pytest.mark.parametrize(
        "row",
        [
            "ZZ1,双乙,990101001201,19911110001",
            "ZZ1,双甲,990101001200,19911110001",
            "ZZ1,双甲,990101001201,19911110002",
        ],
    )
    async def test_a_number_takes_no_contact_of_another_name_region_or_address(self, bring, write, row):
        await bring(write("双甲,990101001201,19911110001", header="姓名,区划,手机"))
        assert (await bring(write(row, header="编号,姓名,区划,手机"))).created == 1

    async def test_a_contact_that_has_a_number_keeps_it(self, bring, write, query):
        row = "双甲,990101001201,19911110001"
        await bring(write(f"ZZ1,{row}", header="编号,姓名,区划,手机"))
        assert (await bring(write(f"ZZ2,{row}", header="编号,姓名,区划,手机"))).created == 1
        assert (await bring(write(row, header="姓名,区划,手机"))).updated == 1
        found = await query("SELECT external_id FROM contacts WHERE name = '双甲' ORDER BY id")
        assert found == [("ZZ1",), ("ZZ2",)]

    async def test_a_number_twice_in_the_file_is_refused_the_second_time(self, bring, write):
        report = await bring(write(GOOD, GOOD.replace("演练甲1", "演练甲2")))
        assert reasons(report) == [(3, "", "the same contact as in row 2")]

    async def test_a_person_twice_without_a_number_is_refused_the_second_time(self, bring, write):
        row = "演练丁,990101003200,19900007777"
        report = await bring(write(row, row, header="姓名,区划,手机"))
        assert (report.created, report.refused_rows) == (1, 1)

    async def test_a_good_row_after_a_refused_one_of_its_number_comes_in(self, bring, write):
        report = await bring(write(GOOD.replace("990101003200", "990199"), GOOD))
        assert (report.created, report.refused_rows) == (1, 1)

    async def test_an_address_of_two_contacts_is_noted_and_allowed(self, bring, write):
        report = await bring(write(GOOD, GOOD.replace("A1,演练甲1", "A2,演练甲2")))
        assert report.created == 2
        assert {note.reason for note in report.notes} == {"the same address as in row 2"}
        report = await bring(write(GOOD.replace("A1,演练甲1", "A3,演练甲3")))
        assert {note.reason for note in report.notes} == {"another contact has this address too"}

    async def test_importing_twice_changes_nothing(self, bring, write, query):
        tables = ("contacts", "addresses", "group_members")
        everything = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables)
        await bring(write(GOOD))
        before = await query(everything)
        report = await bring(write(GOOD))
        assert await query(everything) == before
        assert report.notes == []

    async def test_a_rehearsal_tells_the_same_and_changes_nothing(self, bring, write, query):
        before = await query("SELECT count(*) FROM contacts")
        report = await bring(write(GOOD, "B,,990101003,,,,,,,"), dry_run=True)
        assert (report.created, report.refused_rows, report.kept) == (1, 1, False)
        assert await query("SELECT count(*) FROM contacts") == before


class TestAWorkbook:
    @pytest.fixture
    def book(self, tmp_path):
        def book(*rows, at=(0, 0)):
            path = tmp_path / "contacts.xlsx"
            with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as workbook:
                sheet = workbook.add_worksheet()
                for n, row in enumerate(rows):
                    sheet.write_row(at[0] + n, at[1], row)
            return path

        return book

    async def test_numbers_are_taken_as_they_are_shown(self, bring, book, query):
        report = await bring(book(("编号", "姓名", "区划", "手机"), (7.0, "演练", 990101003200, 19900000001)))
        assert reasons(report) == []
        found = await query(
            "SELECT region, address FROM contacts c JOIN addresses ON contact_id = c.id"
            " WHERE external_id = '7'"
        )
        assert found == [(VILLAGE, "8619900000001")]

    async def test_rows_count_as_the_spreadsheet_counts(self, bring, book):
        rows = (("姓名", "区划"), ("演练", 990101003), (), ("演练", 990199))
        report = await bring(book(*rows, at=(3, 2)))
        assert [error.row for error in report.refused] == [7]
        assert (report.read, report.created) == (2, 1)

    async def test_text_that_begins_like_a_formula_stays_text(self, bring, book, query):
        await bring(book(("编号", "姓名", "区划"), ("A1", "=1+1", 990101003)))
        assert await query("SELECT name FROM contacts WHERE external_id = 'A1'") == [("=1+1",)]

    async def test_a_line_break_in_a_cell_refuses_its_row(self, bring, book):
        report = await bring(book(("姓名", "区划"), ("演练\n甲", 990101003), ("演练乙", 990101003)))
        assert [error.row for error in report.refused] == [2]
        assert report.created == 1

    async def test_a_cell_far_out_is_refused_before_it_takes_the_memory(self, bring, book, tmp_path):
        path = tmp_path / "far.xlsx"
        with xlsxwriter.Workbook(path) as workbook:
            sheet = workbook.add_worksheet()
            sheet.write_row(0, 0, ("姓名", "区划"))
            sheet.write(1_048_575, 16_383, "x")
        with pytest.raises(FileRefused, match=r"far\.xlsx: row 1048576: more than 52 columns"):
            await bring(path)

    async def test_what_only_looks_like_a_workbook_is_refused(self, bring, tmp_path):
        path = tmp_path / "broken.xlsx"
        path.write_bytes(b"PK\x03\x04" + b"x" * 100)
        with pytest.raises(FileRefused, match="no readable workbook"):
            await bring(path)


ROWS = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>姓名</t></is></c><c r="B1" t="str"><v>区划</v></c></row>'
    '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2"><v>9.90101003E11</v></c></row>'
)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def package(path, rows=ROWS, sheet="", strings="<si><t>演练</t></si>", other=()):
    """Write a workbook by hand, as spreadsheets of all makes might."""
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{relations}"><sheets>'
        '<sheet name="1" sheetId="1" r:id="rId7"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        f'<Relationship Id="rId7" Type="{relations}/worksheet" Target="/xl/worksheets/any.xml"/>'
        f'<Relationship Id="rId8" Type="{relations}/sharedStrings" Target="texts.xml"/></Relationships>',
        "xl/texts.xml": f'<sst xmlns="{MAIN}">{strings}</sst>',
        "xl/worksheets/any.xml": sheet
        or f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (parts | dict(other)).items():
            archive.writestr(name, content)
    return path


def cells(path, **options):
    return [list(line.cells) for line in read_lines(path, len, **options)]


def outcome(path):
    try:
        cells(path)
    except FileRefused as refused:
        return str(refused)
    return "read"


class TestAWorkbookByHand:
    """S5: no member leaves memory, unpacked sizes are held to."""

    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "by_hand.xlsx"

    async def test_it_comes_in(self, bring, path, query):
        report = await bring(package(path))
        assert (report.created, report.refused) == (1, [])
        assert await query("SELECT region FROM contacts WHERE name = '演练'") == [("990101003000",)]

    @pytest.mark.parametrize(
        "cell",
        [
            "<c r='XFD1048576' t='str'><v>x</v></c>",
            '<c s="1" r="XFD2" t="str"><v>x</v></c>',
            '<c\n\tt="str"\n r = "BA2" ><v>x</v></c>',
            '<c r="&#88;FD2" t="str"><v>x</v></c>',
            f'<x:c xmlns:x="{MAIN}" r="XFD2" t="str"><x:v>x</x:v></x:c>',
            "<c/>" * 52 + '<c t="str"><v>x</v></c>',
        ],
        ids=["quotes", "order", "spaces", "reference", "prefix", "counted"],
    )
    def test_a_value_far_out_is_refused_however_its_cell_is_written(self, path, cell):
        package(path, f'{ROWS}<row r="1048576">{cell}</row>')
        with pytest.raises(FileRefused, match=r"^by_hand\.xlsx: row 1048576: more than 52 columns; keep"):
            cells(path)

    def test_cells_with_a_format_and_no_value_do_no_harm_wherever_they_are(self, path):
        package(path, f'{ROWS}<row r="3"><c r="XFD3" s="1"/></row><row r="1048576"><c r="A1048576"/></row>')
        assert cells(path) == [["姓名", "区划"], ["演练", "990101003000"]]

    def test_rows_and_cells_without_their_place_follow_the_one_before(self, path):
        rows = '<row><c t="str"><v>a</v></c><c/><c><v>7</v></c></row><row r="5"/><row><c><v>8</v></c></row>'
        lines = list(read_lines(package(path, rows), len))
        assert [(line.number, list(line.cells)) for line in lines] == [(1, ["a", "", "7"]), (6, ["8"])]

    def test_a_prefix_before_every_element_does_no_harm(self, path):
        rows = '<x:row r="1"><x:c r="B1" t="s"><x:v>0</x:v></x:c></x:row>'
        sheet = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{rows}</x:sheetData></x:worksheet>'
        assert cells(package(path, sheet=sheet)) == [["", "演练"]]

    def test_runs_of_a_text_are_joined_and_reading_aids_left_out(self, path):
        text = "<r><t>张</t></r><r><rPr/><t>三</t></r>"
        aid = '<rPh sb="0" eb="1"><t>zhang</t></rPh>'
        rows = f'<row><c t="s"><v>0</v></c><c t="inlineStr"><is>{text}{aid}</is></c></row>'
        assert cells(package(path, rows, strings=f"<si>{text}{aid}</si>")) == [["张三", "张三"]]

    def test_formulas_are_not_read_but_their_results(self, path):
        rows = '<row><c t="b"><f>1=1</f><v>1</v></c><c t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
        assert cells(package(path, rows)) == [["TRUE", "#DIV/0!"]]

    @pytest.mark.parametrize("escape", ["_x000D_", "_x0000_", "_xD800_"])
    async def test_an_escaped_control_character_refuses_its_row(self, bring, path, escape):
        report = await bring(package(path, strings=f"<si><t>演{escape}练</t></si>"))
        assert reasons(report) == [(2, "姓名", "a line break or control character in the cell")]

    @pytest.mark.parametrize(
        "rows",
        [
            '<row><c t="s"><v>1</v></c></row>',
            '<row><c t="s"><v>x</v></c></row>',
            '<row r="x"><c><v>1</v></c></row>',
            '<row r="0"><c><v>1</v></c></row>',
            '<row r="1048577"><c><v>1</v></c></row>',
            "<row><c><v>1</v></row>",
            "<row><c><v>&undefined;</v></c></row>",
            f'<row a="{"x" * (5 << 20)}"/>',
            f"<row><c><v>{'1' * (9 << 20)}</v></c></row>",
        ],
        ids=[
            *("no such text", "no number", "row x", "row 0", "row beyond", "not closed", "entity"),
            *("endless tag", "endless text"),
        ],
    )
    def test_a_sheet_that_no_spreadsheet_writes_is_no_readable_workbook(self, path, rows):
        with pytest.raises(FileRefused, match=r"^by_hand\.xlsx: no readable workbook; open it and save it"):
            cells(package(path, rows))

    def test_a_document_type_is_refused_before_its_entities_grow(self, path):
        entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {name} "{f"&{of};" * 10}">' for of, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
        sheet = f"<!DOCTYPE worksheet [{entities}]><worksheet><row><c><v>&i;</v></c></row></worksheet>"
        with pytest.raises(FileRefused, match="no readable workbook"):
            cells(package(path, sheet=sheet))

    @pytest.mark.parametrize(
        ("missing", "content"),
        [("xl/workbook.xml", "<workbook/>"), ("xl/_rels/workbook.xml.rels", "<Relationships/>")],
    )
    def test_one_without_a_sheet_is_no_readable_workbook(self, path, missing, content):
        with pytest.raises(FileRefused, match="no readable workbook"):
            cells(package(path, other={missing: content}))

    def test_names_that_lead_out_of_the_archive_write_nothing_anywhere(self, path, tmp_path, monkeypatch):
        """S5: a workbook is read in memory; its members are no files."""
        inside = tmp_path / "inside"
        inside.mkdir()
        monkeypatch.chdir(inside)
        evil = tmp_path / "evil.txt"
        names = ("../evil.txt", "../../evil.txt", str(evil), "xl/../../evil.txt", "..\\evil.txt")
        package(path, "<row><c><v>1</v></c></row>", other=dict.fromkeys(names, "x"))
        before = sorted(tmp_path.rglob("*"))
        assert cells(path) == [["1"]]
        assert sorted(tmp_path.rglob("*")) == before
        assert not evil.exists()

    def test_one_that_unpacks_to_more_than_the_limit_is_refused(self, path):
        package(path, other={"xl/media/image1.png": bytes(3 << 20)})
        with pytest.raises(FileRefused, match=r"^by_hand\.xlsx: larger than 2 MB unpacked; split it"):
            cells(path, limits=Limits(unpacked_megabytes=2))

    def test_a_size_that_lies_unpacks_no_more_than_it_says(self, path):
        package(path, f"<row><c><v>{'1' * 30_000}</v></c></row>" + " " * (8 << 20))
        data = path.read_bytes()
        (whole,) = [
            one.file_size for one in zipfile.ZipFile(path).infolist() if one.filename.endswith("any.xml")
        ]
        path.write_bytes(data.replace(struct.pack("<I", whole), struct.pack("<I", 1000)))
        with pytest.raises(FileRefused, match="no readable workbook"):
            cells(path)

    @pytest.mark.parametrize(
        ("offset", "value"),
        [(6, 1), (4, 81), (8, 99), (8, 14), (8, 12)],
        ids=["encrypted", "zip version", "no such method", "lzma", "bzip2"],
    )
    def test_an_archive_of_another_kind_is_no_readable_workbook(self, path, offset, value):
        data = bytearray(package(path).read_bytes())
        at = data.find(b"PK\x01\x02")
        while at >= 0:
            struct.pack_into("<H", data, at + 2 + offset, value)
            at = data.find(b"PK\x01\x02", at + 1)
        path.write_bytes(data)
        with pytest.raises(FileRefused, match="no readable workbook"):
            cells(path)

    def test_whatever_bytes_are_wrong_it_is_read_or_refused_in_one_line(self, path):
        good = package(path).read_bytes()
        chance = random.Random(20)
        outcomes = set()
        for _ in range(600):
            data = bytearray(good)
            for _ in range(chance.randint(1, 3)):
                data[chance.randrange(4, len(data))] = chance.randrange(256)
            path.write_bytes(data[: chance.choice([len(data), len(data), chance.randrange(4, len(data))])])
            outcomes.add(outcome(path))
        assert {"read", "by_hand.xlsx: no readable workbook; open it and save it again"} <= outcomes
        outcomes.remove("read")
        assert all(line.startswith("by_hand.xlsx: ") and "\n" not in line for line in outcomes)


class TestAFile:
    @pytest.mark.parametrize(
        "content", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe", "姓名".encode(), b"\x00" * 50, b"%PDF-1.7\n"]
    )
    async def test_one_without_columns_is_refused(self, bring, tmp_path, content):
        path = tmp_path / "contacts.csv"
        path.write_bytes(content)
        with pytest.raises(FileRefused, match=r"^contacts\.csv"):
            await bring(path)

    async def test_an_old_workbook_is_refused_with_the_way_out(self, bring, tmp_path):
        path = tmp_path / "contacts.xls"
        path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
        with pytest.raises(FileRefused, match=r"save it as \.xlsx or as CSV"):
            await bring(path)

    async def test_a_locked_workbook_is_told_from_its_password(self, bring, tmp_path):
        path = tmp_path / "contacts.xlsx"
        path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
        with pytest.raises(FileRefused, match="a locked Excel file; take its password off"):
            await bring(path)

    async def test_a_missing_one_is_refused(self, bring, tmp_path):
        with pytest.raises(FileRefused, match="no such file"):
            await bring(tmp_path / "nothing.csv")

    async def test_too_many_rows_or_bytes_are_refused_before_anything_comes_in(self, bring, write, query):
        before = await query("SELECT count(*) FROM contacts")
        rows = [GOOD.replace("A1", f"A{n}") for n in range(11)]
        with pytest.raises(FileRefused, match="more than 10 rows; split it"):
            await bring(write(*rows), limits=Limits(rows=10))
        with pytest.raises(FileRefused, match="larger than 0 MB; split it"):
            await bring(write(*rows), limits=Limits(megabytes=0))
        assert await query("SELECT count(*) FROM contacts") == before

    async def test_columns_that_mean_nothing_are_named(self, bring, write):
        report = await bring(write("A1,演练,990101003,x", header="编号,姓名,区划,备注"))
        assert report.unknown_columns == ["备注"]
