"""What reading a document costs: ``python tests/benchmarks/feed_check.py FILE...``, one line for each file.

Each file is read in a process of its own: its peak of memory above the start, and its time. Without files,
the corpus beside the checkout and documents made to be costly are read.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import sys
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.commands.feed import app
from gateway.feeds.adapters import KINDS, adapter

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom">{}</feed>'
ALERT = (
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>i{0}</identifier>'
    "<sender>a@example.org</sender><sent>2026-07-01T08:00:00+08:00</sent><status>Test</status>"
    "<msgType>Alert</msgType><scope>Public</scope><info><category>Met</category><event>e</event>"
    "<urgency>Past</urgency><severity>Minor</severity><certainty>Likely</certainty>"
    "<area><areaDesc>x</areaDesc>{1}</area></info></alert>"
)
RING = (
    "<polygon>" + " ".join(f"{30 + n / 1000:.3f},{110 + n % 2}" for n in range(99)) + " 30.000,110</polygon>"
)
LINK = (
    '<entry><id>i{0}</id><title>t</title><updated>2026-07-01T08:00:00Z</updated><link href="/a/{0}"/></entry>'
)


def zipped(number: int, shape: str) -> bytes:
    """Return a zip file of so many alerts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in range(number):
            archive.writestr(f"{one}.xml", ALERT.format(one, shape))
    return made.getvalue()


def costly() -> dict[str, bytes]:
    """Return documents that ask for as much as the limits let through."""
    return {
        "atom of 30,000 links": ATOM.format("".join(map(LINK.format, range(30_000)))).encode(),
        "atom of 190,000 empty entries": ATOM.format("<entry/>" * 190_000).encode(),
        "atom of 5,000 alerts": ATOM.format(
            "".join(f"<entry><content>{ALERT.format(n, '')}</content></entry>" for n in range(5_000))
        ).encode(),
        "atom of 1,900 alerts with rings": ATOM.format(
            "".join(f"<entry><content>{ALERT.format(n, RING)}</content></entry>" for n in range(1_900))
        ).encode(),
        "atom of one text": ATOM.format("<title>" + "暴" * 1_700_000 + "</title>").encode(),
        "zip of 3,000 alerts": zipped(3_000, ""),
        "zip of 2,900 alerts with rings": zipped(2_900, RING),
        "zip of zeros": zipped(9, "<polygon>" + " " * 1_040_000 + "</polygon>"),
    }


def memory(name: str) -> int:
    """Return a figure of this process in kB: VmRSS, or VmHWM for its peak."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def measure(path: str) -> dict[str, object]:
    """Return the cost of one file, in a process that has loaded every adapter."""
    for kind in KINDS:
        adapter(kind)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, begin = memory("VmRSS"), time.perf_counter()
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        code = app(["check", path], standalone_mode=False)
    return {
        "file": path,
        "code": code or 0,
        "bytes": Path(path).stat().st_size,
        "mb": round((memory("VmHWM") - before) / 1024, 1),
        "seconds": round(time.perf_counter() - begin, 3),
    }


def main(paths: list[str]) -> None:
    """Measure the files, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for found in pool.imap(measure, paths, chunksize=1):
            sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1:])
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            for name, data in costly().items():
                (Path(folder) / name).write_bytes(data)
            main([*map(str, Path(folder).iterdir()), *sorted(map(str, CORPUS.glob("*/*")))])
