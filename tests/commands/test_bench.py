"""``tongda bench sms``, small: the figures are for docs/performance.md, here it must be whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 300


@pytest.mark.timeout(180)
def test_it_sends_everything_and_prints_one_object_with_every_figure(tmp_path):
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGDA_")}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "bench", "sms", "--count", str(MESSAGES), "--json"],
        cwd=tmp_path,
        env=ours | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["messages"] == MESSAGES
    for figure in ("attempts_per_s", "receipts_per_s", "first_message_ms", "bare_loop_per_s", "rss_mb"):
        assert told[figure] > 0
    assert {"sms.urgent", "reconcile"} <= set(told["rss_mb_by_process"])


@pytest.mark.timeout(180)
def test_the_bench_of_sources_reads_everything_and_prints_every_figure(tmp_path):
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGDA_")}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "bench", "feed", "--count", "40", "--json"],
        cwd=tmp_path,
        env=ours | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["alerts"], told["cores"]) == (40, 1)
    for figure in (
        "index_per_minute",
        "index_cpu_s",
        "feed_s",
        "heartbeats",
        "heartbeat_ms",
        "quake_ms",
        "rss_mb",
    ):
        assert told[figure] > 0
