"""Canada's NAAD stream: framing, heartbeats, names in the archive."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts.model import Alert, Area, Info, Reference, ValuePair
from gateway.alerts.write import write
from gateway.feeds.adapters.naad import ADAPTER, Frames, archive_names
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import LARGEST, Document
from tests.feeds.contract import AdapterContract, recognisers

SENT = "2026-07-01T08:00:00-00:00"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
CAP = b"urn:oasis:names:tc:emergency:cap:1.2"
PLAIN = b'<alert xmlns="' + CAP + b'"><note>averse verglacante</note></alert>'
ACCENTS = DECLARATION + '<alert xmlns="x"><note>Pluie verglaçante — 凍雨 🌧</note></alert>'.encode()
PREFIXED = DECLARATION + b'\n<cap:alert xmlns:cap="' + CAP + b'"><cap:note>a</cap:note></cap:alert >'
QUOTED = (
    DECLARATION + b"<alert><note><![CDATA[</alert><?xml ?>]]></note><!-- </alert> --><?x </alert>?></alert>"
)
FOREIGN = DECLARATION + b"<alert><x:alert xmlns:x='y'>in</x:alert></alert>"
STYLED = DECLARATION + b"<?xml-stylesheet href='a'?><!-- before --><alert a='>'/></alert>"
DOCUMENTS = (PLAIN, ACCENTS, PREFIXED, QUOTED, FOREIGN, STYLED)


def heartbeat(*references):
    named = " ".join(f"invented@example.org,{one},{SENT}" for one in references)
    return (
        f'<alert xmlns="{CAP.decode()}"><identifier>beat-1</identifier><sender>NAADS-Heartbeat</sender>'
        f"<sent>{SENT}</sent><status>System</status><msgType>Alert</msgType><scope>Public</scope>"
        f"<references>{named}</references></alert>"
    ).encode()


def message(**changes):
    area = Area(
        area_desc="Invented",
        geocodes=(ValuePair(value_name="profile:CAP-CP:Location:0.3", value="9999"),),
    )
    info = Info(
        language="en-CA",
        categories=("Met",),
        event="thunderstorm",
        urgency="Immediate",
        severity="Severe",
        certainty="Observed",
        parameters=(
            ValuePair(value_name="layer:SOREM:1.0:Broadcast_Immediately", value="Yes"),
            ValuePair(value_name="layer:EC-MSC-SMC:1.0:Alert_Location_Status", value="ended"),
        ),
        areas=(area,),
    )
    alert = Alert(
        identifier="urn:oid:2.49.0.1.124.0000000001.2026",
        sender="invented@example.org",
        sent=SENT,
        status="Actual",
        msg_type="Alert",
        scope="Public",
        infos=(info,),
    )
    return write(alert.model_copy(update=changes))


def cut(data, *places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def framed(*chunks):
    frames = Frames()
    return [one for chunk in chunks for one in frames.feed(chunk)], frames


class TestNaad(AdapterContract):
    KIND = "naad"
    GOOD = ("cap/eccc_capcp_2012_update.xml",)
    MADE: ClassVar = {"message": message(), "heartbeat": heartbeat("a", "b")}
    EXPECTED: ClassVar = {
        "cap/eccc_capcp_2012_update.xml": [{"msgType": "Update", "status": "Actual"}],
        "message": [{"msgType": "Alert", "severity": "Severe", "event": "thunderstorm"}],
        "heartbeat": [],
    }

    def test_it_takes_its_own_samples_and_nobody_else_does(self, samples):
        """A document of the stream is CAP like any other; only the stream itself is this kind's own."""
        assert not [name for name, data in samples.items() if self.KIND in recognisers(data)]

    def test_what_decides_about_broadcast_is_kept(self):
        (item,) = self.read(message()).items
        assert item.is_cap
        assert [pair.value for pair in item.alert.infos[0].parameters] == ["Yes", "ended"]

    def test_a_heartbeat_is_no_alert_and_lists_what_went_before(self):
        read = self.read(heartbeat("a", "b"))
        assert read.heartbeat
        assert not read.items
        assert [one.identifier for one in read.recent] == ["a", "b"]
        assert read.generated == datetime(2026, 7, 1, 8, tzinfo=UTC)

    def test_an_empty_heartbeat_is_one(self):
        assert self.read(heartbeat()).heartbeat

    @pytest.mark.parametrize("changes", [{"status": "System"}, {"sender": "NAADS-Heartbeat"}])
    def test_only_both_marks_make_a_heartbeat(self, changes):
        read = self.read(message(**changes))
        assert not read.heartbeat
        assert len(read.items) == 1

    def test_a_document_that_cap_refuses_is_a_finding(self):
        read = self.read(message().replace(b"Actual", b"Real"))
        assert not read.items
        assert [one.code for one in read.findings] == ["item_refused"]


class TestFrames:
    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one[38:60])
    def test_a_document_is_cut_out_as_it_came(self, document):
        assert framed(document)[0] == [document]

    @given(
        st.lists(
            st.tuples(st.sampled_from(DOCUMENTS), st.sampled_from([b"", b"\n", b" \r\n\t"])), max_size=5
        ),
        st.lists(st.integers(0, 4000), max_size=12),
    )
    def test_it_does_not_matter_how_the_stream_arrives(self, sent, places):
        stream = b"".join(document + between for document, between in sent)
        found, frames = framed(*cut(stream, *places))
        assert found == [document for document, _ in sent]
        assert frames.skipped == 0

    @given(
        st.lists(st.sampled_from([*DOCUMENTS, b"junk < > & </alert>", PLAIN[:20], QUOTED[:60]]), max_size=5)
    )
    def test_byte_by_byte_is_as_all_at_once(self, parts):
        stream = b"".join(parts)
        at_once, whole = framed(stream)
        single, slow = framed(*(stream[place : place + 1] for place in range(len(stream))))
        assert single == at_once
        assert slow.skipped == whole.skipped

    @given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
    def test_any_bytes_before_a_declaration_lose_nothing(self, junk, places):
        stream = junk.replace(b"<", b"") + ACCENTS
        assert framed(*cut(stream, *places))[0] == [ACCENTS]

    @pytest.mark.parametrize(
        ("stream", "expected", "skipped"),
        [
            (b"junk" + PLAIN + b"more junk" + PLAIN, [PLAIN, PLAIN], 12),
            (b"\xef\xbb\xbf" + ACCENTS, [ACCENTS], 3),
            (b"<a>b</a>" + PLAIN, [PLAIN], 8),
            (DECLARATION + b"<rss></rss>" + ACCENTS, [ACCENTS], len(DECLARATION) - 2 + 11),
            (ACCENTS[:60] + PREFIXED, [PREFIXED], len(ACCENTS[:60].translate(None, b" \n"))),
            (QUOTED + b"</alert>" + PLAIN, [QUOTED, PLAIN], 8),
            (b"<alerts><alert>a</alert></alerts>", [b"<alert>a</alert>"], 17),
            (PLAIN[:-1], [], 0),
            (b"", [], 0),
        ],
    )
    def test_what_is_no_document_is_skipped_and_counted(self, stream, expected, skipped):
        found, frames = framed(stream)
        assert found == expected
        assert frames.skipped == skipped

    def test_what_follows_a_whole_document_is_kept_for_the_next(self):
        frames = Frames()
        assert frames.feed(PLAIN + ACCENTS[:50]) == [PLAIN]
        assert frames.feed(ACCENTS[50:]) == [ACCENTS]


class TestEndlessDocuments:
    ENDLESS = DECLARATION + b"<alert><note>" + b"x" * LARGEST

    @pytest.mark.parametrize("size", [LARGEST * 2, 1_000_000])
    def test_one_is_refused_and_reading_goes_on_at_the_next_declaration(self, size):
        frames, found, refused = Frames(), [], []
        stream = PLAIN + self.ENDLESS + b"</note></alert>" + PLAIN + ACCENTS + PLAIN
        for start in range(0, len(stream), size):
            try:
                found += frames.feed(stream[start : start + size])
            except FeedRefused as reason:
                refused.append(reason.code)
        found += frames.feed(b"")
        assert refused == ["feed_too_large"]
        # Whatever has no declaration after the loss cannot be told from the middle of a document.
        assert found == [PLAIN, ACCENTS, PLAIN]

    def test_an_open_cdata_is_given_up_at_the_limit(self):
        frames = Frames()
        with pytest.raises(FeedRefused):
            frames.feed(DECLARATION + b"<alert><![CDATA[" + ACCENTS * 3 + b"x" * LARGEST)
        assert frames.feed(ACCENTS) == [ACCENTS]

    def test_the_largest_that_is_read_is_framed(self):
        largest = PLAIN[:-8] + b" " * (LARGEST - len(PLAIN)) + b"</alert>"
        assert len(largest) == LARGEST
        assert framed(*cut(largest + PLAIN, 10, LARGEST - 3))[0] == [largest, PLAIN]

    def test_a_byte_more_is_refused(self):
        frames = Frames()
        with pytest.raises(FeedRefused):
            frames.feed(PLAIN[:-8] + b" " * (LARGEST - len(PLAIN) + 1) + b"</alert>")

    def test_any_document_can_be_asked_for(self):
        assert ADAPTER.frames is Frames
        assert ADAPTER.transport == "tcp"
        assert not ADAPTER.recognises(Document(PLAIN))


class TestArchiveNames:
    @pytest.mark.parametrize(
        ("identifier", "sent", "expected"),
        [
            (
                "C0B0D06C-882E",
                "2016-03-01T07:54:04-04:00",
                [
                    "2016-03-01/2016-03-01T07_54_04_04IC0B0D06C_882E.xml",
                    "2016-03-01/2016_03_01T07_54_04_04_00IC0B0D06C_882E.xml",
                ],
            ),
            (
                "urn:oid:2.49.0.1.124.0322195743.2019_001",
                "2019-01-01T00:04:07-02:00",
                [
                    "2019-01-01/2019-01-01T00_04_07_02Iurn3oid32.49.0.1.124.0322195743.2019_001.xml",
                    "2019-01-01/2019_01_01T00_04_07_02_00Iurn_oid_2.49.0.1.124.0322195743.2019_001.xml",
                ],
            ),
            (
                "a+b",
                "2026-07-01T08:00:00+08:00",
                [
                    "2026-07-01/2026-07-01T08_00_00p08Iapb.xml",
                    "2026-07-01/2026_07_01T08_00_00p08_00Iapb.xml",
                ],
            ),
        ],
    )
    def test_both_rules_the_usual_one_first(self, identifier, sent, expected):
        assert archive_names(Reference(sender="x", identifier=identifier, sent=sent)) == expected[::-1]
