from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "config" / "demo"


@pytest.fixture
def tongda(database_url, tmp_path):
    def tongda(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "gateway.cli", "audience", *map(str, arguments)],
            env=os.environ
            | {
                "TONGDA_DATABASE_URL": database_url,
                "TONGDA_STATE_DIR": str(tmp_path / "state"),
                "PYTHONPATH": str(ROOT),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return tongda


def test_a_county_goes_from_files_to_a_preview(tongda, tmp_path):
    regions = tongda("regions", DEMO / "townships.geojson", DEMO / "villages.csv", "--json")
    assert json.loads(regions.stdout)["created"] > 200, regions.stderr
    bad = tmp_path / "bad.csv"
    bad.write_text(
        (DEMO / "contacts.csv").read_text(encoding="utf-8") + "X,名,990199,,,,,,,\n", encoding="utf-8"
    )
    imported = tongda("import", bad)
    assert "201 rows read: 200 new, 0 updated, 1 refused" in imported.stdout, imported.stderr
    assert "bad.csv, row 202, 行政区划代码: no loaded region has this code; " in imported.stdout
    preview = json.loads(tongda("preview", DEMO / "rainstorm_orange.xml", "--json").stdout)
    assert set(preview["per_township"]) == {f"99010100{n}000" for n in range(1, 7)}
    assert preview["share"] == 0.0
    by_code = json.loads(tongda("preview", "--region", "990101003", "--json").stdout)
    assert by_code["people"] == preview["per_township"]["990101003000"]
    refused = tongda("preview", "--region", "430600")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "lies outside of 虚构县" in refused.stderr


def test_a_refused_area_names_the_file_that_says_it(tongda, tmp_path):
    tongda("regions", DEMO / "townships.geojson")
    file = tmp_path / "no_area.xml"
    text = (DEMO / "rainstorm_orange.xml").read_text(encoding="utf-8")
    file.write_text(re.sub(r"<geocode>.*?</geocode>|<polygon>.*?</polygon>", "", text, flags=re.DOTALL))
    refused = tongda("preview", file)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"tongda: {file}: ")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "nothing.csv"),
        ("regions", "nothing.geojson"),
        ("preview", "nothing.xml"),
        ("preview", str(DEMO / "villages.csv")),
        ("preview", "--region", "990101"),
    ],
)
def test_what_a_person_can_mend_is_one_line_and_no_traceback(tongda, arguments):
    ended = tongda(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("tongda: ")
    assert ended.stderr.count("\n") == 1


def test_an_import_of_which_every_row_is_refused_fails_and_still_lists_the_rows(tongda, tmp_path):
    tongda("regions", DEMO / "townships.geojson")
    file = tmp_path / "bad.csv"
    file.write_text("姓名,区划\n甲,990199\n乙,990199\n", encoding="utf-8")
    for options in ((), ("--json",)):
        ended = tongda("import", file, *options)
        assert ended.returncode == 2
        assert ended.stderr == (
            "tongda: bad.csv: every row was refused and nothing came in; correct the rows as listed\n"
        )
        assert ended.stdout.count("no loaded region has this code") == 2


def test_regions_of_which_every_row_is_refused_fail_and_one_good_row_is_enough(tongda, tmp_path):
    file = tmp_path / "regions.csv"
    file.write_text("code,name,code\n1,镇,\n", encoding="utf-8")
    ended = tongda("regions", file)
    assert ended.returncode == 2
    assert ended.stderr.startswith("tongda: regions.csv: every row was refused")
    assert "columns that were not read: regions.csv, code" in ended.stdout
    file.write_text("code,name\n1,镇\n990101,县\n", encoding="utf-8")
    assert tongda("regions", file).returncode == 0
