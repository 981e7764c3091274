"""The fault plan's E1, E2 and E7, from the bytes on the wire to what left the desk.

E3 and the rules beside it are in test_intake.py and test_seismic_warning.py, E4 in tests/faults, E5 in
test_fetch_hostile.py, E6 in test_health.py, S8 in tests/partners, T2 in test_stamps.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.alerts.write import write
from gateway.feeds.adapters import adapter
from gateway.feeds.document import Document
from tests.alerts.costly import made
from tests.desk.conftest import NORTH, SOUTH
from tests.feeds.conftest import OTHER, RELEASE, message

ROOT = Path(__file__).resolve().parents[2]


async def bring(intake, source: str, data: bytes):
    """What ``tongda feeds`` does with a CAP document."""
    return await intake.take_reading(source, adapter("cap").read(Document(data)))


class TestE1:
    async def test_duplicates_replays_and_strangers_make_one_alert_and_one_release(self, county):
        intake = county.intake(
            a=dict(RELEASE), b=dict(RELEASE), c=dict(RELEASE), stranger={"action": "submit"}
        )
        first = message()
        county.clock.advance(30)
        for _ in range(50):
            for source in ("a", "b", "c"):
                await bring(intake, source, write(first))
        await bring(intake, "a", write(message("old", minutes=-43_200)))
        await bring(intake, "a", write(message(headline="同一编号，另一内容")))
        cancel = message("end", sender=OTHER, msg_type="Cancel", about=(first,), infos=())
        await bring(intake, "stranger", write(cancel))
        assert await county.sent() == [("Alert", "one")]
        assert {"same_key_other_content", "foreign_sender"} <= set(await county.alarms())


READ_ALL = """
import json, resource, sys
touched = []
sys.addaudithook(lambda name, args: touched.append(name) if name in (
    "socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request") else None)
from gateway.feeds.adapters import adapter
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
adapter("cap").read(Document(open(sys.argv[1], "rb").read()))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
said = {}
for path in sys.argv[2:]:
    spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    try:
        reading = adapter("cap").read(Document(open(path, "rb").read(), "http://127.0.0.1/"))
        said[path] = ["read" if reading.items else "refused", len(reading.items)]
    except FeedRefused as refused:
        said[path] = ["refused", 0]
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(json.dumps({"said": said, "touched": touched, "grown_mb": grown}))
"""


class TestE2:
    REFUSED = (
        *("billion_laughs.xml", "quadratic_blowup.xml", "xxe_file.xml", "xxe_http.xml"),
        *("xxe_external_dtd.xml", "xxe_parameter_entity.xml", "deep_nesting.xml", "nul_byte.xml"),
        *("ns_none.xml", "truncated.xml", "empty.xml", "not_xml_html_error.xml"),
    )

    def test_hostile_xml_is_refused_in_little_memory_and_nothing_is_asked_for_on_the_way(
        self, corpus, tmp_path
    ):
        files = sorted((corpus / "cap_bad").glob("*.xml"))
        for number, (_, text) in enumerate(made()):
            path = tmp_path / f"made{number}.xml"
            path.write_text(text, encoding="utf-8")
            files.append(path)
        calm = str(corpus / "cap_bad" / "00_control_valid.xml")
        ended = subprocess.run(
            [sys.executable, "-c", READ_ALL, calm, *map(str, files)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(ended.stdout)
        assert told["touched"] == []
        assert told["grown_mb"] < 50
        said = {Path(path).name: verdict for path, (verdict, _) in told["said"].items()}
        assert {said[name] for name in self.REFUSED} == {"refused"}
        assert said["00_control_valid.xml"] == "read"
        assert len(said) > 25


def geometry(shape: str, area: str = "") -> bytes:
    """A CAP file whose area is this shape, as XML, and nothing else."""
    text = write(message()).decode()
    before, _, rest = text.partition("<geocode>")
    return f"{before}{shape}{area}{rest.partition('</geocode>')[2]}".encode()


RING = " ".join(f"{30 + (n % 300) / 1000:.3f},{100 + n / 100_000:.5f}" for n in range(100_000))
BAD = {
    "no shape at all": "",
    "an empty polygon": "<polygon></polygon>",
    "an empty circle": "<circle></circle>",
    "a crossing ring": "<polygon>30,106 31,107 30,107 31,106 30,106</polygon>",
    "longitude before latitude": "<polygon>106,30 107,30 107,31 106,30</polygon>",
    "across the date line": "<polygon>-10,170 10,170 10,-170 -10,-170 -10,170</polygon>",
    "no numbers": "<polygon>NaN,NaN NaN,NaN NaN,NaN NaN,NaN</polygon>",
    "infinite": "<circle>30,106 Infinity</circle>",
    "one point": "<polygon>30,106</polygon>",
    "a line": "<polygon>30,106 31,106 32,106 30,106</polygon>",
    "a hundred thousand points": f"<polygon>{RING}</polygon>",
    "the whole province": "<geocode><valueName>GB/T 2260</valueName><value>990000</value></geocode>",
    "nothing but zeros": "<geocode><valueName>GB/T 2260</valueName><value>000000</value></geocode>",
    "a code of another list": "<geocode><valueName>UGC</valueName><value>MDZ008</value></geocode>",
    "the whole Earth": "<circle>0,0 20000</circle>",
}


class TestE7:
    @pytest.mark.parametrize("name", BAD)
    async def test_bad_geometry_never_becomes_everyone(self, county, name):
        intake = county.intake(weather=dict(RELEASE))
        await bring(intake, "weather", geometry(BAD[name]))
        assert await county.sent() == []
        assert [row for row in await county.ours() if row[2] == "released"] == []

    async def test_a_good_area_beside_them_goes(self, county):
        county.clock.advance(timedelta(seconds=1).total_seconds())
        good = f"<geocode><valueName>GB/T 2260</valueName><value>{NORTH}</value></geocode>"
        intake = county.intake(weather=RELEASE | {"regions": [NORTH[:9], SOUTH[:9]]})
        (taken,) = await bring(intake, "weather", geometry(good))
        assert taken.state == "released"
