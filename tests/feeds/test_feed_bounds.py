"""Documents made to be costly: refused before they cost much, and what is real passes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.feeds.adapters import adapter
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from gateway.feeds.shelf import MOST
from gateway.feeds.solving import MOST_EVENTS
from gateway.feeds.strict_json import JsonRefused, read_json
from tests.feeds.test_cap_index import alert
from tests.feeds.test_feed_check import MEASURED, MOST_MEMORY, ROOT

HEADER = "#EventID|Time|Latitude|Longitude|Depth/km|Magnitude\n"
EVENT = (
    '<event publicID="smi:a/{}"><origin publicID="o{}"><time><value>2026-03-01T04:12:05Z</value></time>'
    "<latitude><value>31</value></latitude><longitude><value>103</value></longitude></origin>{}</event>"
)
QUAKEML = (
    '<q:quakeml xmlns="http://quakeml.org/xmlns/bed/1.2" xmlns:q="http://quakeml.org/xmlns/quakeml/1.2">'
    "<eventParameters>{}</eventParameters></q:quakeml>"
)
EQXML = '<EQMessage xmlns="http://www.usgs.gov/ansseqmsg"><Sent>2026-03-01T04:12:05Z</Sent>{}</EQMessage>'
SCML = (
    '<seiscomp xmlns="http://geofon.gfz-potsdam.de/ns/seiscomp3-schema/0.12"><EventParameters>{}'
    "</EventParameters></seiscomp>"
)
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom">{}</feed>'
EQXML_EVENT = (
    "<Event><DataSource>nc</DataSource><EventID>{}</EventID><Origin><Time>2026-03-01T04:12:05Z</Time>"
    "<Latitude>31</Latitude><Longitude>103</Longitude></Origin></Event>"
)


def read(kind, data):
    return adapter(kind).read(Document(data.encode()))


def code(kind, data):
    with pytest.raises(FeedRefused) as refused:
        read(kind, data)
    return refused.value.code


class TestTooMuch:
    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            pytest.param("fdsn_text", HEADER + "|\n" * (MOST_EVENTS + 1), id="events"),
            pytest.param("list12379", '{"alertData":[' + "0," * 10_000 + "0]}", id="entries of JSON"),
            pytest.param("atom", ATOM.format("<entry/>" * 10_001), id="entries of an index"),
            pytest.param("usgs", '{"features":[' + "{}," * 300_000 + "{}]}", id="objects"),
            pytest.param("usgs", '{"a":[' + '"ab",' * 900_000 + "0]}", id="texts"),
            pytest.param("edxl", f"<alerts>{(alert()) * (MOST + 1)}</alerts>", id="alerts"),
            pytest.param(
                "rss",
                "<rss><channel><item>"
                + "".join(f'<enclosure url="http://a.example/{n}" type="text/xml"/>' for n in range(1))
                + "".join(
                    f'<enclosure url="http://a.example/{n}" type="application/cap+xml"/>'
                    for n in range(10_001)
                )
                + "</item></channel></rss>",
                id="links",
            ),
        ],
    )
    def test_a_document_with_more_than_is_read_is_refused(self, kind, data):
        assert code(kind, data) == "feed_too_large"

    def test_a_tag_without_an_end_is_refused_before_the_parser_sees_it(self):
        tag = "<link " + " ".join(f'a{n}="1"' for n in range(40_000)) + "/>"
        assert code("atom", ATOM.format(f"<entry>{tag}</entry>")) == "feed_malformed"

    def test_a_long_text_is_no_long_tag(self):
        assert read("atom", ATOM.format(f"<title>{'x' * 400_000}</title>")).findings == []

    def test_one_telegram_cannot_withdraw_thousands_of_events(self, corpus):
        text = (corpus / "jma" / "20210217140958_0_VXSE53_010000.xml").read_text(encoding="utf-8")
        ids = " ".join(f"{n:014}" for n in range(5000))
        text = text.replace("20210217230627", ids, 1).replace("発表", "取消")
        assert code("jma", text) == "feed_malformed"


class TestWorkGrowsWithTheDocument:
    def test_each_of_many_events_of_a_message_is_cut_out_with_the_head_alone(self):
        reading = read("eqxml", EQXML.format("".join(map(EQXML_EVENT.format, range(2000)))))
        assert len(reading.solutions) == 2000
        assert all(len(one.original) < 500 for one in reading.solutions)
        again = read("eqxml", reading.solutions[7].original.decode())
        assert again.solutions[0].ids == ("nc7",)
        assert again.solutions[0].updated == reading.solutions[7].updated is not None

    def test_an_event_with_thousands_of_magnitudes_is_a_finding_and_the_others_come_out(self):
        many = "<magnitude publicID='m'/>" * 501
        reading = read("quakeml", QUAKEML.format(EVENT.format(1, 1, many) + EVENT.format(2, 2, "")))
        assert [one.ids for one in reading.solutions] == [("smi:a/2",)]
        assert [one.code for one in reading.findings] == ["item_malformed"]

    def test_events_that_share_an_origin_do_not_multiply_its_magnitudes(self):
        origin = f'<origin publicID="o">{"<magnitude/>" * 501}</origin>'
        events = "".join(
            f'<event publicID="e{n}"><preferredOriginID>o</preferredOriginID></event>' for n in range(3000)
        )
        reading = read("scml", SCML.format(origin + events))
        assert reading.solutions == []
        assert reading.findings[-1].message == "2980 more of this kind"

    def test_an_alert_that_is_written_anew_declares_only_what_it_uses(self):
        spaces = " ".join(f'xmlns:n{n}="urn:n{n}"' for n in range(3000))
        body = alert().replace("<", "<c:").replace("<c:/", "</c:").replace(" xmlns=", " xmlns:c=")
        start, _, rest = body.partition(">")
        wrapped = f'<alerts {spaces} xmlns:c="urn:oasis:names:tc:emergency:cap:1.2">'
        (item,) = read("edxl", f"{wrapped}{start.partition(' ')[0]}>{rest}</alerts>").items
        assert len(item.original) < len(body) + 200


class TestMemory:
    def test_costly_documents_need_little(self, tmp_path):
        made = {
            "escapes": '{"alertData":["' + "\\u4e00" * 800_000 + '"]}',
            "one long text": '{"alertData":["' + "x" * 5_000_000 + '"]}',
            "empty objects": '{"type":"FeatureCollection","features":[' + "{}," * 1_600_000 + "0]}",
            "lines of bars": HEADER + "|\n" * 2_400_000,
            "one line of bars": HEADER + "|" * 4_900_000,
            "short rows": HEADER + "n|2026-03-01T04:12:04|31|103|14|5\n" * 140_000,
            "short events": QUAKEML.format("".join(EVENT.format(n, n, "") for n in range(22_000))),
        }
        for name, data in made.items():
            (tmp_path / name).write_text(data, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", MEASURED],
            input="\n".join(str(tmp_path / name) for name in made),
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        used = {line.partition(" ")[2]: int(line.partition(" ")[0]) for line in done.stdout.splitlines()}
        assert len(used) == len(made)
        assert {path: kb for path, kb in used.items() if kb > MOST_MEMORY} == {}


class TestOutline:
    def test_names_of_fields_are_not_counted_again_and_again(self):
        row = '{"identifier":"a","headline":"b","description":"c","sendTime":"d"},'
        assert len(read_json(f"[{row * 40_000}0]".encode())) == 40_001

    @pytest.mark.parametrize("text", ['["\\"[[[[", "]"]', '["\\\\", {"a": "\\\\\\""}]', '["}{"]'])
    def test_brackets_in_texts_are_no_brackets(self, text):
        assert read_json(text.encode(), deepest=2)

    def test_a_text_without_an_end_is_broken_and_nothing_worse(self):
        with pytest.raises(JsonRefused) as refused:
            read_json(b'["' + b"\\" * 1_000_001)
        assert refused.value.code == "json_malformed"
