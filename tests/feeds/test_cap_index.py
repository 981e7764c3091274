"""CAP documents, and the indexes, wrappers and zip files that lead to them or carry them."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest

from gateway.feeds.adapters import adapter, cap, zip_of_cap
from gateway.feeds.cap_item import cap_item
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from gateway.feeds.index import read_stamp
from gateway.feeds.noted import Noted
from gateway.feeds.outside import Outside, outside
from gateway.feeds.shelf import Shelf
from tests.feeds.contract import URL, AdapterContract

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
ATOM = "http://www.w3.org/2005/Atom"
RING = "30,110 30,111 31,111 30,110"


def alert(identifier="one", *, status="Actual", prefix="", declared=True, severity="Severe", inside=""):
    """An invented alert; ``declared`` is whether it names its own namespace."""
    p = f"{prefix}:" if prefix else ""
    bound = (f' xmlns:{prefix}="{CAP}"' if prefix else f' xmlns="{CAP}"') if declared else ""
    text = (
        f"<alert{bound}><identifier>{identifier}</identifier><sender>invented@example.org</sender>"
        f"<sent>2026-07-01T08:00:00+08:00</sent><status>{status}</status><msgType>Alert</msgType>"
        f"<scope>Public</scope><info><category>Met</category><event>暴雨</event><urgency>Immediate</urgency>"
        f"<severity>{severity}</severity><certainty>Likely</certainty>{inside}<area>"
        f"<areaDesc>虚构县</areaDesc><polygon>{RING}</polygon></area></info></alert>"
    )
    return text.replace("</", "\0").replace("<", f"<{p}").replace("\0", f"</{p}")


def feed(*entries, more="", bound=""):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="{ATOM}"{bound}><title>t</title>'
        f"<updated>2026-07-01T00:00:00Z</updated>{more}{''.join(entries)}</feed>"
    ).encode()


def entry(*inside, title="t", updated="2026-07-01T00:00:00Z"):
    return f"<entry><title>{title}</title><updated>{updated}</updated>{''.join(inside)}</entry>"


def link(href, media="application/cap+xml", **more):
    said = {"href": href} | ({"type": media} if media else {}) | more
    return "<link " + " ".join(f"{name}='{value}'" for name, value in said.items()) + "/>"


def rss(*items, root='<rss version="2.0"', head=""):
    return f"{root}><channel><title>t</title>{head}{''.join(items)}</channel></{root[1:4]}>".encode()


def zipped(files, method=zipfile.ZIP_DEFLATED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def read(kind, data, url=URL):
    return adapter(kind).read(Document(data, url))


def codes(reading):
    return [(one.code, one.path) for one in reading.findings]


def urls(reading):
    return [one.url for one in reading.links]


FULL = feed(entry(f"<content>{alert('one')}</content>"), entry(f"<content>{alert('two')}</content>"))
WRAPPED = (
    f'<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0">'
    f"<dateTimeSent>2026-07-01T08:00:00+08:00</dateTimeSent><distributionStatus>Actual</distributionStatus>"
    f"<contentObject><xmlContent><embeddedXMLContent>{alert('one')}</embeddedXMLContent></xmlContent>"
    f"</contentObject><contentObject><xmlContent><embeddedXMLContent>{alert('two', prefix='cap')}"
    f"</embeddedXMLContent></xmlContent></contentObject></EDXLDistribution>"
).encode()
ROW = {"status": "Actual", "msgType": "Alert", "severity": "Severe", "event": "暴雨", "polygons": 1}


class TestCap(AdapterContract):
    KIND = "cap"
    GOOD = (
        "cap/eccc_capcp_2012_update.xml",
        "cap/ipaws_nevada_cancel_no_info.xml",
        "cap/oasis_v12_appendix_a3.xml",
        "cap_bad/bom_utf8.xml",
        "cap_bad/gb18030_declared.xml",
        "cap_bad/ns_prefixed_valid.xml",
        "cap_bad/poly_exclude_geocode.xml",
        "cap_bad/utf16_bom.xml",
        "cap_legacy/nws_cap11_5c2cf27b.xml",
        "cap_legacy/oasis_v10_appendix_a1.xml",
        "meteoalarm/ireland_detail.xml",
    )
    MADE: ClassVar = {"made": alert().encode(), "commented": b"<!-- one > two --><?x y?>" + alert().encode()}
    EXPECTED: ClassVar = {
        "made": [ROW | {"in_force": True}],
        "cap/ipaws_nevada_cancel_no_info.xml": [{"msgType": "Cancel", "event": None, "severity": None}],
        "cap/eccc_capcp_2012_update.xml": [
            {"msgType": "Update", "event": "thunderstorm", "severity": "Minor", "in_force": True}
        ],
        "meteoalarm/ireland_detail.xml": [{"severity": "Moderate", "in_force": True}],
    }

    def test_the_document_is_the_original(self):
        (item,) = read("cap", alert().encode()).items
        assert item.is_cap
        assert item.original == alert().encode()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (("Severe", "severe"), "value_unknown"),
            (("<sent>2026-07-01T08:00:00+08:00</sent>", ""), "missing_element"),
            ((f' xmlns="{CAP}"', ""), "wrong_namespace"),
            (("cap:1.2", "cap:1.3"), "wrong_namespace"),
        ],
    )
    def test_an_alert_that_nobody_may_act_on_is_a_finding_that_says_why(self, change, said):
        document = Document(alert().replace(*change).encode())
        assert cap.recognises(document)
        reading = cap.read(document)
        assert not reading.items
        assert codes(reading) == [("item_refused", "alert")]
        assert reading.findings[0].message.startswith(f"{said}: ")

    def test_green_is_not_in_force_and_says_so(self):
        green = "<parameter><valueName>awareness_level</valueName><value>1; green; Minor</value></parameter>"
        (item,) = read("cap", alert(inside=green).encode()).items
        assert not item.in_force
        assert "not_in_force" in [one.code for one in item.findings]

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (alert().encode()[:-1], "feed_truncated"),
            (b"", "feed_truncated"),
            (b" \n", "feed_truncated"),
            (b"<html><body>x</body></html>", "error_page"),
            (b'{"title": "Service Unavailable"}', "error_page"),
            (b"Service Unavailable", "feed_malformed"),
            (alert().replace("暴雨", "\x00").encode(), "feed_malformed"),
            (b"<!DOCTYPE alert>" + alert().encode(), "feed_malformed"),
            (feed(), "feed_malformed"),
        ],
    )
    def test_a_document_that_is_no_alert_is_refused(self, data, code):
        with pytest.raises(FeedRefused) as refused:
            read("cap", data)
        assert refused.value.code == code

    def test_the_national_message_is_not_taken(self):
        national = "<alert><identifier>i</identifier><sendTime>2026-07-01 08:00:00+08:00</sendTime></alert>"
        assert not cap.recognises(Document(national.encode()))


class TestAtom(AdapterContract):
    KIND = "atom"
    GOOD = (
        "atom/jma_sample_empty_feed.xml",
        "atom/jma_sample_extra_feed.xml",
        "atom/jma_sample_regular_feed.xml",
        "atom/meteoalarm_ireland_12entries.xml",
        "atom/nws_atom_cap11_15entries.xml",
        "atom/usgs_atom_rendered.xml",
    )
    MADE: ClassVar = {"full": FULL, "empty": feed()}
    EXPECTED: ClassVar = {"full": [ROW, ROW], "empty": [], "atom/usgs_atom_rendered.xml": []}

    @pytest.mark.parametrize(
        ("name", "links", "found"),
        [
            ("jma_sample_empty_feed", 0, []),
            ("jma_sample_entry_no_id", 0, [("link_missing", "entry[1]")]),
            ("jma_sample_regular_feed", 2, []),
            ("jma_sample_extra_feed", 2, []),
            ("meteoalarm_ireland_12entries", 1, []),
            ("nws_atom_cap11_15entries", 15, []),
            ("usgs_atom_rendered", 9, [("link_missing", "entry[9]")]),
        ],
    )
    def test_real_indexes(self, corpus, name, links, found):
        reading = read("atom", (corpus / "atom" / f"{name}.xml").read_bytes())
        assert len(reading.links) == links
        assert codes(reading) == found
        assert reading.generated is not None
        whole = not {"link_missing", "link_refused"} & {one.code for one in reading.findings}
        assert reading.listed == ({one.url for one in reading.links} if whole else None)

    def test_a_link_that_says_it_is_cap_is_chosen_and_never_the_id(self, corpus):
        reading = read("atom", (corpus / "atom" / "meteoalarm_ireland_12entries.xml").read_bytes())
        (one,) = reading.links
        assert one.url == (
            "https://feeds.meteoalarm.org/api/v1/warnings/feeds-ireland/558830a2-74a1-402a-915c-ab365ec68d25"
        )
        assert one.updated == "2022-12-06T23:27:41Z"
        assert reading.generated == datetime(2022, 12, 7, 23, 5, 50, 466496, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("links", "chosen"),
        [
            ([link("/page", "text/html"), link("/1.cap")], ["/1.cap"]),
            ([link("/1", None), link("/2", "text/xml")], ["/2"]),
            ([link("/1", "application/xml"), link("/2", "text/xml")], ["/1"]),
            ([link("/1", None), link("/2", None)], ["/1"]),
            ([link("/1", "application/common-alerting-protocol+xml")], ["/1"]),
            ([link("/1", "Application/CAP+XML; charset=utf-8")], ["/1"]),
            ([link("/en.cap"), link("/fr.cap")], ["/en.cap", "/fr.cap"]),
            ([link("/hub", None, rel="hub"), link("/me", None, rel="self"), link("/1", None)], ["/1"]),
            ([link("/page", "text/html"), link("/feed", "application/atom+xml")], []),
            ([link("/1.png", "image/png")], []),
            ([], []),
        ],
    )
    def test_the_link_that_is_followed(self, links, chosen):
        reading = read("atom", feed(entry(*links)))
        assert urls(reading) == [f"https://feed.example.org{path}" for path in chosen]
        assert codes(reading) == ([] if chosen else [("link_missing", "entry[1]")])

    def test_an_entry_that_describes_an_alert_says_that_its_document_is_missing(self):
        described = '<e:event xmlns:e="urn:oasis:names:tc:emergency:cap:1.1">Flood</e:event>'
        (one,) = read("atom", feed(entry(described))).findings
        assert one.code == "link_missing"
        assert "describes an alert" in one.message

    @pytest.mark.parametrize(
        "title",
        [
            "No alerts in effect, Ottawa",
            "No watches or warnings in effect, Ottawa (Richmond - Metcalfe)",
            "There are no active watches, warnings or advisories",
            "Aucune veille ou alerte en vigueur, Gatineau",
        ],
    )
    def test_the_entry_that_says_there_is_nothing_is_no_alert(self, title):
        reading = read("atom", feed(entry(link("/page", "text/html"), title=title)))
        assert not reading.links
        assert codes(reading) == [("not_in_force", "entry[1]")]

    @pytest.mark.parametrize("title", ["Warning: no flood alerts reach this area", "Alerts in effect"])
    def test_other_titles_do_not_mean_nothing(self, title):
        assert codes(read("atom", feed(entry(title=title)))) == [("link_missing", "entry[1]")]

    @pytest.mark.parametrize(
        "href",
        [
            *("file:///etc/passwd", "gopher://example.org/1", "ftp://example.org/a.xml", "data:text/xml,x"),
            *("javascript:alert(1)", "mailto:desk@example.org", "//[::1", "http:///a", "https://"),
            *("http://localhost/a", "http://127.0.0.1/a", "http://127.1/a", "http://0x7f.1/a", "http://0/a"),
            *("http://2130706433/a", "http://017700000001/a", "http://[::1]/a", "http://[::ffff:10.0.0.1]/a"),
            *("http://10.0.0.1/a", "http://192.168.1.1/a", "http://169.254.169.254/a", "http://100.64.0.1/a"),
            *("http://172.16.0.1/a", "http://0.0.0.0/a", "http://224.0.0.1/a", "http://router/a"),
            *("https://desk:secret@example.org/a", "https://example.org/a b", "https://example.org\\@b/a"),
            "https://example.org/" + "a" * 3000,
        ],
    )
    def test_a_link_to_where_nothing_is_fetched_from_is_refused(self, href):
        reading = read("atom", feed(entry(link(href)), entry(link("/good"))))
        assert urls(reading) == ["https://feed.example.org/good"]
        assert codes(reading) == [("link_refused", "entry[1]")]
        assert "secret" not in reading.findings[0].message

    def test_an_index_inside_may_lead_to_its_own_host_and_port_only(self):
        data = feed(
            entry(link("/1")), entry(link("http://10.0.0.1:8080/2")), entry(link("http://10.0.0.2/3"))
        )
        reading = read("atom", data, "http://10.0.0.1:8080/index")
        assert urls(reading) == ["http://10.0.0.1:8080/1", "http://10.0.0.1:8080/2"]
        assert codes(reading) == [("link_refused", "entry[3]")]

    @pytest.mark.parametrize(
        ("href", "url"),
        [
            ("a.xml", "https://feed.example.org/warnings/a.xml"),
            ("../a.xml", "https://feed.example.org/a.xml"),
            ("?id=1&amp;lang=de", "https://feed.example.org/warnings/index?id=1&lang=de"),
            ("//cap.example.org/a.xml", "https://cap.example.org/a.xml"),
            ("https://cap.example.org/a.xml#part", "https://cap.example.org/a.xml"),
            ("  /a.xml\n", "https://feed.example.org/a.xml"),
        ],
    )
    def test_links_start_at_the_address_of_the_index(self, href, url):
        assert urls(read("atom", feed(entry(link(href))))) == [url]

    def test_a_base_inside_of_the_document_counts(self):
        data = feed(f'<entry xml:base="https://cap.example.org/x/">{link("a.xml")}</entry>')
        assert urls(read("atom", data)) == ["https://cap.example.org/x/a.xml"]

    def test_without_an_address_relative_links_are_refused(self):
        assert codes(read("atom", feed(entry(link("/a.xml"))), "")) == [("link_refused", "entry[1]")]

    def test_a_document_that_is_linked_often_is_one_link_with_its_latest_change(self):
        stamps = ("2026-07-01T00:00:00Z", "2026-07-01T02:00:00Z", "2026/7/1 上午 04:00:00")
        reading = read("atom", feed(*(entry(link("/1"), updated=stamp) for stamp in stamps)))
        assert [one.updated for one in reading.links] == ["2026-07-01T02:00:00Z"]

    def test_an_alert_inside_keeps_its_own_bytes(self):
        items = read("atom", FULL).items
        assert [item.original.decode() for item in items] == [alert("one"), alert("two")]

    def test_an_alert_whose_namespace_is_bound_outside_is_written_anew(self):
        inside = alert(prefix="c").replace(f' xmlns:c="{CAP}"', "")
        data = feed(entry(f"<content>{inside}</content>"), bound=f' xmlns:c="{CAP}"')
        (item,) = read("atom", data).items
        assert item.alert.infos[0].event == "暴雨"
        assert CAP.encode() in item.original

    def test_an_alert_in_another_encoding_is_written_anew(self):
        data = feed(entry(f"<content>{alert()}</content>")).decode().replace("UTF-8", "GB18030")
        (item,) = read("atom", data.encode("gb18030")).items
        assert item.alert.infos[0].event == "暴雨"
        assert item.original.decode()

    def test_one_bad_alert_does_not_keep_the_others_out_and_the_list_is_not_complete(self):
        bad = alert("bad").replace("Severe", "severe")
        reading = read(
            "atom", feed(entry(f"<content>{bad}</content>"), entry(f"<content>{alert()}</content>"))
        )
        assert [item.alert.identifier for item in reading.items] == ["one"]
        assert codes(reading) == [("item_refused", "entry[1]")]
        assert reading.listed is None

    def test_the_alerts_inside_are_listed(self):
        sent = "2026-07-01T08:00:00+08:00"
        assert read("atom", FULL).listed == {f"invented@example.org,{name},{sent}" for name in ("one", "two")}

    def test_thousands_of_bad_entries_are_counted_and_not_all_told(self):
        findings = read("atom", feed("<entry/>" * 3000)).findings
        assert len(findings) == 21
        assert findings[-1].message == "2980 more of this kind"

    def test_half_an_index_and_an_error_page_are_no_empty_index(self):
        for data, code in [
            (feed()[:-3], "feed_truncated"),
            (b"<html/>", "error_page"),
            (b"[]", "error_page"),
        ]:
            with pytest.raises(FeedRefused) as refused:
                read("atom", data)
            assert refused.value.code == code


class TestRss(AdapterContract):
    KIND = "rss"
    GOOD = ("rss/gdacs_rss_12items.xml", "rss/synthetic_wmo_cap_index.xml")
    MADE: ClassVar = {"full": rss(f"<item><title>t</title><description/>{alert()}</item>"), "empty": rss()}
    EXPECTED: ClassVar = {"full": [ROW], "empty": []}

    def test_the_indexs_odd_items(self, corpus):
        data = (corpus / "rss" / "synthetic_wmo_cap_index.xml").read_bytes()
        reading = read("rss", data, "https://cap.example.org/rss.xml")
        assert urls(reading) == ["https://cap.example.org/a/1.xml", "https://cap.example.org/a/2.xml"]
        assert codes(reading) == [
            ("link_missing", "item[4]"),
            ("link_refused", "item[5]"),
            ("link_refused", "item[6]"),
        ]
        assert reading.generated == datetime(2026, 3, 1, 4, tzinfo=UTC)

    def test_the_cap_of_gdacs_is_followed_and_not_the_page(self, corpus):
        reading = read("rss", (corpus / "rss" / "gdacs_rss_12items.xml").read_bytes())
        assert len(reading.links) == 12
        assert urls(reading)[0] == "http://www.gdacs.org/contentdata/resources/TC/1000643/cap_1000643.xml"
        assert reading.links[0].updated == "Sun, 29 Dec 2019 12:00:00 GMT"

    @pytest.mark.parametrize(
        ("inside", "chosen"),
        [
            ("<link>/1</link>", ["/1"]),
            ("<link>/1</link><enclosure url='/2' type='application/cap+xml'/>", ["/2"]),
            ("<link>/1</link><enclosure url='/2' type='image/png'/>", ["/1"]),
            (f"<link>/1</link><a:link xmlns:a='{ATOM}' href='/2' type='application/cap+xml'/>", ["/2"]),
            ("<guid isPermaLink='true'>https://cap.example.org/1</guid>", []),
        ],
    )
    def test_the_link_that_is_followed(self, inside, chosen):
        reading = read("rss", rss(f"<item><title>t</title>{inside}</item>"))
        assert urls(reading) == [f"https://feed.example.org{path}" for path in chosen]

    def test_rss_1_has_its_items_beside_the_channel(self):
        data = (
            b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
            b"<channel><title>t</title></channel><item><title>t</title><link>/1</link></item></r:RDF>"
        )
        assert adapter("rss").recognises(Document(data))
        assert urls(read("rss", data)) == ["https://feed.example.org/1"]

    def test_the_last_build_counts_before_the_publication(self):
        dates = (
            "<pubDate>Wed, 01 Jul 2026 00:00:00 GMT</pubDate>"
            "<lastBuildDate>Wed, 01 Jul 2026 08:00:00 +0800</lastBuildDate>"
        )
        assert read("rss", rss(head=dates)).generated == datetime(2026, 7, 1, tzinfo=UTC)


class TestEdxl(AdapterContract):
    KIND = "edxl"
    MADE: ClassVar = {
        "distribution": WRAPPED,
        "alerts": f'<alerts xmlns="urn:x">{alert("one")}{alert("two")}</alerts>'.encode(),
        "prefixed": f'<p:alerts xmlns:p="urn:x">{alert()}</p:alerts>'.encode(),
        "empty": b"<alerts/>",
    }
    EXPECTED: ClassVar = {"distribution": [ROW, ROW], "alerts": [ROW, ROW], "prefixed": [ROW], "empty": []}

    def test_each_alert_keeps_its_own_bytes_and_is_listed(self):
        reading = read("edxl", WRAPPED)
        assert [item.original.decode() for item in reading.items] == [
            alert("one"),
            alert("two", prefix="cap"),
        ]
        assert len(reading.listed) == 2
        assert reading.generated == datetime(2026, 7, 1, tzinfo=UTC)

    def test_one_bad_alert_does_not_keep_the_others_out(self):
        reading = read("edxl", WRAPPED.replace(b"Severe", b"severe", 1))
        assert [item.alert.identifier for item in reading.items] == ["two"]
        assert codes(reading) == [("item_refused", "alert[1]")]
        assert reading.listed is None

    @pytest.mark.parametrize("status", ["Test", "Exercise", "System", "Unactual"])
    def test_a_wrapper_that_is_a_test_holds_no_real_alert(self, status):
        reading = read("edxl", WRAPPED.replace(b"Status>Actual", b"Status>" + status.encode()))
        assert not reading.items
        assert codes(reading) == [("item_refused", "distributionStatus")] * 2

    def test_a_test_in_a_wrapper_that_is_a_test_comes_out(self):
        data = WRAPPED.replace(b">Actual<", b">Test<")
        assert [item.alert.status for item in read("edxl", data).items] == ["Test", "Test"]


class TestZip(AdapterContract):
    KIND = "zip"
    MADE: ClassVar = {
        "two": zipped({"a/../../one.xml": alert("one"), "two.xml": alert("two")}),
        "stored": zipped({"one.xml": alert("one")}, zipfile.ZIP_STORED),
        "empty": zipped({}),
        "folder": zipped({"folder/": "", "folder/one.xml": alert()}),
    }
    EXPECTED: ClassVar = {"two": [ROW, ROW], "stored": [ROW], "empty": [], "folder": [ROW]}

    @pytest.mark.parametrize(
        ("name", "listed"), [("Z_CAP_LATEST_STATUS.zip", True), ("z_status_x.zip", True), ("DIFF.zip", False)]
    )
    def test_only_a_status_file_lists_what_is_in_force(self, name, listed):
        reading = read("zip", self.MADE["two"], f"https://feed.example.org/{name}")
        assert (reading.listed is not None) == listed
        assert not listed or len(reading.listed) == 2

    @pytest.mark.parametrize(
        ("inside", "code"),
        [
            (alert().replace("Severe", "severe"), "item_refused"),
            ("read me", "item_refused"),
            ("", "item_refused"),
            (zipped({"x": "y"}), "item_malformed"),
            ("<alert>" + " " * (2 * 1024 * 1024) + "</alert>", "item_refused"),
            (" " * (6 * 1024 * 1024), "item_refused"),
        ],
    )
    def test_a_bad_file_is_a_finding_and_the_list_is_not_complete(self, inside, code):
        data = zipped({"bad": inside, "good": alert()})
        reading = read("zip", data, "https://feed.example.org/STATUS.zip")
        assert len(reading.items) == 1
        assert codes(reading) == [(code, "file[1]")]
        assert reading.listed is None

    def test_a_damaged_file_is_a_finding(self):
        data = bytearray(self.MADE["stored"])
        at = data.index("暴雨".encode())
        data[at] ^= 0xFF
        assert codes(read("zip", bytes(data))) == [("item_malformed", "file[1]")]

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_what_may_need_any_memory_is_not_unpacked(self, method):
        assert codes(read("zip", zipped({"one": alert()}, method))) == [("item_malformed", "file[1]")]

    def test_an_encrypted_file_is_a_finding(self):
        data = bytearray(self.MADE["stored"])
        for magic, flags in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]:
            data[data.index(magic) + flags] |= 1
        assert codes(read("zip", bytes(data))) == [("item_malformed", "file[1]")]

    def test_a_zip_file_with_too_many_files_is_refused(self):
        data = zipped({str(number): "" for number in range(zip_of_cap.MOST_FILES + 1)}, zipfile.ZIP_STORED)
        with pytest.raises(FeedRefused) as refused:
            read("zip", data)
        assert refused.value.code == "zip_refused"

    def test_a_bomb_is_refused_before_it_is_unpacked(self):
        bomb = zipped({str(number): b" " * 5_000_000 for number in range(11)})
        with pytest.raises(FeedRefused) as refused:
            read("zip", bomb)
        assert refused.value.code == "zip_refused"


class TestWhatManyAlertsNeed:
    def item(self):
        return cap_item(alert().encode(), "", Noted())

    def test_equal_shapes_are_kept_once(self):
        kept = []
        shelf = Shelf(kept)
        for _ in range(2):
            shelf.put(self.item())
        one, two = (item.alert.infos[0].areas[0].polygons[0] for item in kept)
        assert one is two
        assert kept[0].alert == self.item().alert

    def test_more_than_there_is_room_for_is_refused(self):
        shelf = Shelf([], room=20_000)
        shelf.put(self.item())
        with pytest.raises(FeedRefused) as refused:
            shelf.put(self.item())
        assert refused.value.code == "feed_too_large"

    def test_nothing_takes_no_room(self):
        kept = []
        Shelf(kept, room=0).put(None)
        assert kept == []


class TestTheOutsideOfADocument:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('<a xmlns="urn:X"/>', Outside("a", "urn:x")),
            ('<p:a xmlns="urn:y" xmlns:p="urn:x">', Outside("a", "urn:x")),
            ("<a\n xmlns = 'urn:x'>", Outside("a", "urn:x")),
            ("<p:a xmlns='urn:x'>", Outside("a", "")),
            ("\ufeff<?xml version='1.0'?>\n<!-- <b> --><?x <c>?><a b='1'>", Outside("a", "")),
            ("<!DOCTYPE a><a>", Outside()),
            ("<html>", Outside()),
            ("text", Outside()),
            ("", Outside()),
            ("<!---->" * 290 + "<", Outside()),
        ],
    )
    def test_the_root_is_found_at_once(self, text, found):
        assert outside(Document(text.encode())) == found


class TestTheStampOfAnIndex:
    @pytest.mark.parametrize(
        ("text", "time"),
        [
            ("2026-07-01T00:00:00Z", datetime(2026, 7, 1, tzinfo=UTC)),
            ("2026-07-01T08:00:00+08:00", datetime(2026, 7, 1, 8, tzinfo=timezone(timedelta(hours=8)))),
            (" Wed, 01 Jul 2026 00:00:00 GMT ", datetime(2026, 7, 1, tzinfo=UTC)),
            ("2026-07-01T00:00:00", None),
            ("2026/1/6 上午 04:00:00", None),
            ("Wed, 99 Jul 2026 00:00:00 GMT", None),
            ("", None),
            ("9" * 50, None),
        ],
    )
    def test_only_a_time_with_an_offset_counts(self, text, time):
        assert read_stamp(text) == time
