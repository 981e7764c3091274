"""``tongda feed check``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands.feed import app
from gateway.feeds.document import LARGEST
from tests.feeds.test_cap_index import FULL, alert, entry, feed, link

ROOT = Path(__file__).resolve().parents[2]
MOST_MEMORY = 50 * 1024
"""kB above the start that checking a file may take."""

MEASURED = """
import contextlib, io, pathlib, sys
from gateway.commands.feed import app
from gateway.feeds.adapters import KINDS, adapter

for kind in KINDS:
    adapter(kind)

def memory(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

for path in sys.stdin.read().splitlines():
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS:")
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        app(["check", path], standalone_mode=False)
    print(memory("VmHWM:") - before, path)
"""


def run(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def lines(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def file(tmp_path):
    def make(data, name="file.xml"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return make


class TestTheLines:
    def test_an_alert(self, file):
        path = file(alert())
        (line,) = lines(run(path))
        assert isinstance(line.pop("findings"), list)
        assert line == {
            "file": str(path),
            "kind": "cap",
            "key": {
                "sender": "invented@example.org",
                "identifier": "one",
                "sent": "2026-07-01T00:00:00+00:00",
            },
            "status": "Actual",
            "msgType": "Alert",
            "severity": "Severe",
            "event": "暴雨",
            "sent": "2026-07-01T08:00:00+08:00",
            "expires": None,
            "areas": 1,
            "polygons": 1,
            "in_force": True,
        }

    def test_severity_is_the_gravest_and_event_the_first(self, file):
        minor = alert(severity="Minor")
        info = minor[minor.index("<info>") : minor.index("</alert>")]
        graver = info.replace("Minor", "Extreme").replace("暴雨", "Rain")
        (line,) = lines(run(file(minor.replace("</alert>", graver + "</alert>"))))
        assert (line["severity"], line["event"], line["areas"]) == ("Extreme", "暴雨", 2)

    def test_an_event(self, corpus):
        (line,) = lines(run(corpus / "quakeml" / "synthetic_2_preferred_changes.xml"))
        wanted = (
            *(
                "file",
                "kind",
                "ids",
                "time",
                "lat",
                "lon",
                "depth_km",
                "magnitude",
                "magnitude_type",
                "place",
            ),
            *("review", "withdrawn", "event_type", "status", "agency", "findings"),
        )
        assert tuple(line) == wanted
        assert line["kind"] == "quakeml"

    def test_a_finding_is_an_object(self, file):
        (line,) = lines(run(file(feed(entry()))))
        assert line["findings"] == [
            {
                "code": "link_missing",
                "severity": "warning",
                "path": "entry[1]",
                "message": "An entry of the index has no link to a CAP document.",
            }
        ]

    def test_a_document_that_leads_to_others_has_a_line(self, file):
        path = file(feed(entry(link("https://cap.example.org/1")), entry(f"<content>{alert()}</content>")))
        one, document = lines(run(path))
        assert one["event"] == "暴雨"
        assert document == {"file": str(path), "kind": "atom", "links": 1, "findings": []}

    def test_an_empty_document_has_a_line(self, file):
        path = file(feed())
        assert lines(run(path)) == [{"file": str(path), "kind": "atom", "links": 0, "findings": []}]

    def test_a_document_of_alerts_only_has_no_line_of_its_own(self, file):
        assert ["links" in line for line in lines(run(file(FULL)))] == [False, False]


class TestTheKind:
    def test_it_is_taken_where_it_is_named(self, file):
        (line,) = lines(run("--kind", "rss", file(alert())))
        assert (line["kind"], line["findings"][0]["code"]) == ("rss", "feed_malformed")

    def test_one_that_is_unknown_is_refused_with_those_there_are(self, file):
        result = run("--kind", "atomm", file(alert()))
        assert result.exit_code == 2
        assert "edxl" in result.stderr

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ("read me", "the document is not JSON: it does not begin with { or ["),
            ("id,time,mag\n1,2,3", "the document is not JSON: it does not begin with { or ["),
            ("", "the document is empty"),
            ('{"features": [{"id"', "the JSON ends in the middle"),
            ('{"features": [}', "the JSON is broken at line 1, column 15"),
            ("7", "the document is no JSON object"),
        ],
    )
    def test_one_of_json_tells_half_a_document_from_one_that_is_broken_or_no_json(self, file, data, message):
        (line,) = lines(run("--kind", "usgs", file(data)))
        assert [one["message"] for one in line["findings"]] == [message]

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            ("", "feed_truncated"),
            ("\n", "feed_truncated"),
            ("<html><body>502 Bad Gateway</body></html>", "error_page"),
            ("<!DOCTYPE html><html>", "error_page"),
            ("<!DOCTYPE alert [<!ENTITY x 'y'>]><alert/>", "feed_malformed"),
            ("read me", "unknown_format"),
            ("{}", "unknown_format"),
            ("[" * 50_000, "unknown_format"),
        ],
    )
    def test_what_is_of_no_kind_is_refused_in_words(self, file, data, code):
        (line,) = lines(run(file(data)))
        assert (line["kind"], line["links"]) == (None, 0)
        assert [one["code"] for one in line["findings"]] == [code]


class TestFilesOfCases:
    def test_each_line_is_a_document(self, file):
        path = file(
            "\n".join(
                json.dumps(case)
                for case in [
                    {"name": "good", "xml": alert()},
                    {"name": "page", "body": "<html></html>"},
                    {"body": feed().decode()},
                ]
            ),
            "cases.jsonl",
        )
        good, page, empty = lines(run(path))
        assert (good["file"], good["event"]) == (f"{path}:good", "暴雨")
        assert (page["file"], page["findings"][0]["code"]) == (f"{path}:page", "error_page")
        assert (empty["file"], empty["kind"]) == (f"{path}:3", "atom")

    @pytest.mark.parametrize(
        "line", ["{", "[]", "{}", '{"name": "x"}', '{"xml": 1}', '{"xml": "a", "xml": "b"}']
    )
    def test_a_line_that_is_no_case_is_said(self, file, line):
        path = file(f'{line}\n\n{{"name": "good", "xml": {json.dumps(alert())}}}', "cases.jsonl")
        wrong, good = lines(run(path))
        assert (wrong["file"], wrong["findings"][0]["severity"]) == (f"{path}:1", "error")
        assert good["event"] == "暴雨"


class TestFilesThatCannotBeRead:
    def test_they_are_named_and_the_others_are_checked(self, file, tmp_path):
        good = file(alert())
        result = run(tmp_path / "none.xml", good, tmp_path)
        assert result.exit_code == 2
        assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [str(good)]
        assert result.stderr.splitlines() == [
            f"{tmp_path / 'none.xml'}: cannot be read: No such file or directory",
            f"{tmp_path}: cannot be read: Is a directory",
        ]

    def test_an_endless_file_is_too_large(self, tmp_path):
        path = tmp_path / "huge.xml"
        path.touch()
        os.truncate(path, 2**33)
        result = run(path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"{path}: has more than {LARGEST} bytes, which no source may send\n"

    def test_without_files_it_says_what_it_wants(self):
        result = run()
        assert result.exit_code == 2
        assert "FILE" in result.stderr


class TestTheCorpus:
    def test_every_file_is_answered(self, corpus):
        files = sorted(path for path in corpus.glob("*/*") if path.is_file())
        found = lines(run(*files))
        assert {line["file"].partition(".jsonl:")[0].removesuffix(".jsonl") for line in found} == {
            str(path).removesuffix(".jsonl") for path in files
        }

    @pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
    def test_no_file_needs_much_memory(self, corpus, tmp_path):
        costly = tmp_path / "links.xml"
        costly.write_bytes(feed(*(entry(link(f"/{number}")) for number in range(10_000))))
        paths = [*sorted(path for path in corpus.glob("*/*") if path.is_file()), costly]
        ended = subprocess.run(
            [sys.executable, "-c", MEASURED],
            input="\n".join(map(str, paths)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        found = [(int(line.split()[0]), line) for line in ended.stdout.splitlines()]
        assert len(found) == len(paths)
        assert [line for taken, line in found if taken > MOST_MEMORY] == []
