"""``tongda alert check``."""

from __future__ import annotations

import json
import os

import pytest
from typer.testing import CliRunner

from gateway.alerts.model import ValuePair
from gateway.alerts.write import write
from gateway.commands.alert import app

AT = "2026-07-01T08:05:00+08:00"


def run(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def good(tmp_path, alert):
    path = tmp_path / "good.xml"
    path.write_bytes(write(alert))
    return path


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.xml"
    path.write_text("<html/>")
    return path


def test_one_line_for_each_file(good, bad):
    result = run("--at", AT, good, bad)
    assert result.exit_code == 0
    first, second = lines(result)
    assert first == {
        "file": str(good),
        "verdict": "ok",
        "key": {
            "sender": "desk@warn.example.org",
            "identifier": "99990041600000_20260701080000_0",
            "sent": "2026-07-01T00:00:00+00:00",
        },
        "findings": [],
    }
    assert second["verdict"] == "refused"
    assert second["key"] is None
    assert [set(one) for one in second["findings"]] == [{"code", "severity", "path", "message"}]


def test_the_time_decides_what_is_over(good):
    (line,) = lines(run("--at", "2026-07-02T08:00:00+08:00", good))
    assert line["verdict"] == "findings"
    assert [one["code"] for one in line["findings"]] == ["expired"]


def test_without_a_time_the_present_counts(good):
    (line,) = lines(run(good))
    assert line["verdict"] in ("ok", "findings")


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_checked(good, tmp_path):
    result = run("--at", AT, tmp_path / "none.xml", good, tmp_path)
    assert result.exit_code == 2
    assert [line["file"] for line in lines(result)] == [str(good)]
    assert result.stderr.splitlines() == [
        f"{tmp_path / 'none.xml'}: cannot be read: No such file or directory",
        f"{tmp_path}: cannot be read: Is a directory",
    ]


def test_a_wrong_time_is_refused_with_an_example(good):
    result = run("--at", "yesterday", good)
    assert result.exit_code == 2
    assert "2026-07-01T08:00:00+08:00" in result.stderr


def test_of_an_endless_file_no_more_than_the_limit_is_read(tmp_path):
    path = tmp_path / "huge.xml"
    path.touch()
    os.truncate(path, 2**33)
    (line,) = lines(run(path))
    assert line["verdict"] == "refused"


def test_without_files_it_says_what_it_wants():
    result = run()
    assert result.exit_code == 2
    assert "FILE" in result.stderr


def coloured(tmp_path, alert, colour):
    (info,) = alert.infos
    pair = ValuePair(value_name="tongda:colour", value=colour)
    path = tmp_path / "coloured.xml"
    path.write_bytes(
        write(alert.model_copy(update={"infos": (info.model_copy(update={"parameters": (pair,)}),)}))
    )
    return path


@pytest.mark.parametrize(
    ("colour", "codes"),
    [("purple", ["colour_unknown"]), ("red", ["colour_severity_differ"]), ("orange", [])],
)
def test_colours_are_judged_by_the_hazard_table(tmp_path, alert, colour, codes):
    (line,) = lines(run("--at", AT, coloured(tmp_path, alert, colour)))
    assert [one["code"] for one in line["findings"]] == codes


def test_a_broken_hazard_table_is_named_and_nothing_is_judged(tmp_path, good, monkeypatch):
    table = tmp_path / "hazards.toml"
    table.write_text("[cap]")
    monkeypatch.setenv("TONGDA_HAZARDS_FILE", str(table))
    result = run(good)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"tongda: {table}: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_file_name_that_is_not_utf_8_is_shown_as_well_as_can_be(tmp_path, alert, good):
    path = os.fsencode(tmp_path) + b"/\xff.xml"
    with open(path, "wb") as file:  # noqa: PTH123 - the name is bytes
        file.write(write(alert))
    gone = os.fsdecode(os.fsencode(tmp_path) + b"/\xfe.xml")
    result = run("--at", AT, os.fsdecode(path), gone, good)
    assert [line["file"] for line in lines(result)] == [f"{tmp_path}/\ufffd.xml", str(good)]
    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path}/\ufffd.xml: cannot be read: No such file or directory\n"


def test_one_odd_namespace_does_not_keep_the_other_files_from_being_checked(tmp_path, alert, good):
    odd = tmp_path / "odd.xml"
    odd.write_bytes(write(alert).replace(b"</alert>", b'<x xmlns="u"/></alert>'))
    assert [line["verdict"] for line in lines(run("--at", AT, odd, good))] == ["findings", "ok"]
