"""Measure the bare SMPP loop: ``python -m tests.benchmarks.smpp_loop [COUNT] [WINDOW]``.

The simulator runs in a process of its own; every answer and receipt is parsed, every receipt
acknowledged. Prints one JSON line a run.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time

from channels.smpp.bench import bare_loop


def measure(count: int, window: int) -> dict[str, float]:
    """Run once and return the figures."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "channels.simulate", "smpp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout is not None
        assert peer.stdin is not None
        settings = json.loads(peer.stdout.readline())["settings"]
        used = time.process_time()
        rate = run(settings | {"window": window}, count)
        used = time.process_time() - used
        peer.stdin.write('{"stats": true}\n')
        peer.stdin.flush()
        stats = json.loads(peer.stdout.readline())["stats"]
        peer.stdin.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    peer_used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert stats["ledger"] == count
    return {
        "count": count,
        "window": window,
        "per_s": round(rate),
        "client_us": round(used / count * 1e6, 1),
        "simulator_us": round(peer_used / count * 1e6, 1),
        "client_rss_mb": round(peak / 1024),
    }


def run(settings: dict[str, object], count: int) -> float:
    """Run the loop on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(bare_loop(settings, count))
    return uvloop.run(bare_loop(settings, count))


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    count = numbers[0] if numbers else 200_000
    for window in numbers[1:] or [10, 100, 500]:
        print(json.dumps(measure(count, window)))  # noqa: T201
