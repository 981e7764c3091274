"""What a CAP file costs: time and memory, for the corpus and for files made to be costly.

Run with ``pytest tests/benchmarks/test_cap_reading.py -m benchmark -s``.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.alerts.check import check

pytestmark = pytest.mark.benchmark

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
ROOT = Path(__file__).resolve().parents[2]
HEAD = (
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>i</identifier>'
    "<sender>a@example.org</sender>"
    "<sent>2026-07-01T08:00:00+08:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
)
INFO = (
    "<info><category>Met</category><event>e</event><urgency>Past</urgency><severity>Minor</severity>"
    "<certainty>Likely</certainty>"
)
TAIL = "<area><areaDesc>x</areaDesc>{}</area></info></alert>"
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


def ring(points):
    turns = [(math.cos(n / points * math.tau), math.sin(n / points * math.tau)) for n in range(points)]
    return " ".join(f"{30 + x:.6f},{110 + y:.6f}" for x, y in [*turns, turns[0]])


def star(points):
    """A ring of which nearly every side crosses nearly every other."""
    turns = [n * (points // 2) / points * math.tau for n in range(points)]
    return " ".join(f"{30 + math.cos(t):.6f},{110 + math.sin(t):.6f}" for t in [*turns, turns[0]])


def made():
    area = HEAD + INFO + TAIL
    wide = "".join(f"<parameter><valueName>{n}</valueName><value>v</value></parameter>" for n in range(4_980))
    namespaces = "".join(f' xmlns:n{n}="urn:x:{n}"' for n in range(25_000))
    yield "ring of 19,900 points", area.format(f"<polygon>{ring(19_900)}</polygon>")
    yield "star of 19,901 points", area.format(f"<polygon>{star(19_901)}</polygon>")
    yield (
        "zigzag of 19,900 points",
        area.format(
            f"<polygon>{' '.join(f'{30 + n % 2},{100 + n / 1000}' for n in range(19_900))} 30,100</polygon>"
        ),
    )
    yield "262,000 points", area.format(f"<polygon>{'1,1 ' * 262_000}</polygon>")
    yield "many short rings", area.format("<polygon>1,1 1,2 2,2 1,1</polygon>" * 4_900)
    yield "4,980 parameters", HEAD + INFO + wide + TAIL.format("")
    yield "1,850 info blocks", HEAD + "".join(f"{INFO}</info>" for _ in range(1_850)) + "</alert>"
    yield "100,000 elements", HEAD + "<code/>" * 100_000 + "</alert>"
    few = "".join(f' xmlns:n{n}="urn:x:{n}"' for n in range(3_900))
    yield (
        "3,900 namespaces, 1,900 foreign",
        HEAD.replace("<alert", f"<alert{few}") + "<n9:x/>" * 1_900 + "</alert>",
    )
    yield (
        "25,000 namespaces, 200 foreign",
        HEAD.replace("<alert", f"<alert{namespaces}") + "<n1:x/>" * 200 + "</alert>",
    )
    yield "one text of a mebibyte", HEAD + f"<note>{'&lt;b&gt;' * 90_000}</note></alert>"
    yield "foreign tree", HEAD + "<x>" + "<y/>" * 19_000 + "</x></alert>"
    yield (
        "references",
        HEAD.replace("Alert<", "Update<") + f"<references>{'a,b ' * 250_000}</references></alert>",
    )
    yield "spaces", HEAD + f"<note>{' ' * 1_000_000}x</note></alert>"
    yield "quotes", HEAD + f"<incidents>{chr(34) * 500_001}</incidents></alert>"
    yield "open quotes", HEAD + f"<incidents>{(chr(34) + 'a ') * 300_001}</incidents></alert>"
    yield "attribute of a mebibyte", HEAD + f"<x y='{'a' * 1_000_000}'/></alert>"
    yield "comments", "<!---->" * 119_900 + HEAD + "</alert>"


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
    checked = check(data, now=NOW)
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
