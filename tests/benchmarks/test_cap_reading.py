"""What a CAP file costs: time and memory, for the corpus and for files made to be costly.

Run with ``pytest tests/benchmarks/test_cap_reading.py -m benchmark -s``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.alerts.check import check
from gateway.alerts.hazards import Hazards
from tests.alerts.costly import made

pytestmark = pytest.mark.benchmark

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
ROOT = Path(__file__).resolve().parents[2]
HAZARDS = Hazards.from_toml(tomllib.loads((ROOT / "config" / "hazards.toml").read_text("utf-8")))
NOW = datetime(2026, 7, 1, tzinfo=UTC)
SCRIPT = """
import re, sys
from datetime import UTC, datetime
from gateway.alerts.check import check
check(b"<x/>")
data = open(sys.argv[1], "rb").read()
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
check(data, now=datetime(2026, 7, 1, tzinfo=UTC))
print(peak() - before)
"""


def corpus_files():
    folders = ("cap", "cap_legacy", "cap_bad", "meteoalarm")
    yield from (
        (path.name, path.read_bytes())
        for folder in folders
        for path in sorted((CORPUS / folder).glob("*.xml"))
    )
    for line in (CORPUS / "cap_bad" / "cases.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        yield case["name"], case["xml"].encode()


def timed_check(data):
    begin = time.perf_counter()
    checked = check(data, now=NOW, hazards=HAZARDS)
    return (time.perf_counter() - begin) * 1000, checked


def cost(name, data, folder):
    # The best of three: others share the machine.
    timed = [timed_check(data) for _ in range(3)]
    milliseconds, checked = min(timed, key=lambda one: one[0])
    path = folder / "file.xml"
    path.write_bytes(data)
    memory = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return (
        name,
        len(data),
        milliseconds,
        int(memory.stdout) / 1024,
        checked.findings[0].code if checked.findings else "",
    )


def show(rows):
    for name, size, milliseconds, memory, code in sorted(rows, key=lambda row: -row[2])[:20]:
        print(  # noqa: T201 - the figures are the point
            f"{name:34} {size / 1024:8.0f} KiB {milliseconds:8.1f} ms {memory:6.1f} MiB  {code}"
        )


def test_every_file_of_the_corpus_within_200_ms_and_50_mb(corpus, tmp_path):
    rows = [cost(name, data, tmp_path) for name, data in corpus_files()]
    show(rows)
    assert max(row[2] for row in rows) < 200
    assert max(row[3] for row in rows) < 50


def test_files_made_to_be_costly_within_200_ms_and_50_mb(tmp_path):
    rows = [cost(name, text.encode(), tmp_path) for name, text in made()]
    show(rows)
    assert max(row[3] for row in rows) < 50
    assert max(row[2] for row in rows) < 200
