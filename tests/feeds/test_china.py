"""China: the national message, the platform's answer, and the lists that republish warnings."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from gateway.alerts.hazards import Level
from gateway.feeds.adapters import adapter
from gateway.feeds.chinese import p_code
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from gateway.feeds.findings import CODES
from tests.feeds.contract import AdapterContract

ISSUER = "99990041600000"
ICSS = f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="http://com.icss.amp"><identifier>{ISSUER}_20260701080000_0</identifier><sender>虚构县气象局</sender>
<senderCode>{ISSUER}</senderCode><sendTime>2026-07-01 08:00:00+08:00</sendTime><status>Exercise</status>
<msgType>Alert</msgType><scope>Public</scope><secClassification>Inner</secClassification>
<info><eventType>11B06</eventType><severity>Blue</severity><area><areaDesc>虚构县</areaDesc>
<polygon>30,110 30,111 31,111 30,110</polygon></area></info></alert>
""".encode()
REFUSED_ANSWER = b"<msg><data><rows><status>1</status><error_code>E-7</error_code></rows></data></msg>"


class TestNational(AdapterContract):
    KIND = "national"
    GOOD = (
        "china/nwpis_henan_gale_update_20200205.xml",
        "china/synthetic_rainstorm_red_alert.xml",
        "china/synthetic_rainstorm_cancel.xml",
        "china/synthetic_test_status.xml",
        "china/synthetic_ack_ok.xml",
    )
    MADE: ClassVar = {"icss": ICSS, "refused answer": REFUSED_ANSWER}
    EXPECTED: ClassVar = {
        "china/nwpis_henan_gale_update_20200205.xml": [
            {
                "key": {
                    "sender": "41000041600000",
                    "identifier": "41000041600000_20200205105119",
                    "sent": "2020-02-05T02:45:00+00:00",
                },
                "status": "Actual",
                "msgType": "Update",
                "severity": "Minor",
                "event": "大风",
                "expires": None,
                "areas": 1,
                "findings": [],
            }
        ],
        "china/synthetic_rainstorm_red_alert.xml": [
            {
                "msgType": "Alert",
                "severity": "Extreme",
                "event": "暴雨",
                "expires": "2026-07-01T20:30:00+08:00",
            }
        ],
        "china/synthetic_rainstorm_cancel.xml": [{"msgType": "Cancel", "status": "Actual"}],
        "china/synthetic_test_status.xml": [{"status": "Test", "severity": "Severe", "event": "台风"}],
        "china/synthetic_ack_ok.xml": [],
        "icss": [{"status": "Exercise", "severity": "Minor", "polygons": 1, "findings": []}],
        "refused answer": [],
    }

    def test_all_messages_of_a_warning_have_one_event_key(self, corpus):
        names = ("synthetic_rainstorm_red_alert", "synthetic_rainstorm_cancel")
        items = [self.read((corpus / "china" / f"{name}.xml").read_bytes()).items[0] for name in names]
        assert [one.event_key for one in items] == ["99000041600000_20260701083000"] * 2

    @pytest.mark.parametrize("references", ["", "A_1 A_2"])
    def test_an_update_that_names_no_single_first_issue_has_no_event_key(self, references):
        data = ICSS.replace(b"<msgType>Alert", b"<msgType>Update").replace(
            b"<info>", f"<references>{references}</references><info>".encode()
        )
        assert self.read(data).items[0].event_key == ""

    def test_the_answer_of_the_platform_is_no_alert(self, corpus):
        reading = self.read((corpus / "china" / "synthetic_ack_ok.xml").read_bytes())
        assert [(one.code, one.severity) for one in reading.findings] == [("platform_accepted", "info")]

    def test_a_refusal_of_the_platform_is_an_error_with_its_code(self):
        (told,) = self.read(REFUSED_ANSWER).findings
        assert (told.code, told.severity) == ("platform_refused", "error")
        assert "E-7" in told.message

    def test_an_answer_without_rows_is_refused(self):
        with pytest.raises(FeedRefused, match="no rows"):
            self.read(b"<msg><data/></msg>")

    def test_a_message_that_nobody_may_act_on_is_a_finding(self):
        reading = self.read(ICSS.replace(b"Blue", b"Purple"))
        assert not reading.items
        assert [one.code for one in reading.findings] == ["item_refused"]
        assert "alert/info[1]/severity" in reading.findings[0].message

    def test_cap_without_a_namespace_is_not_taken(self, corpus):
        assert not adapter(self.KIND).recognises(Document((corpus / "cap_bad" / "ns_none.xml").read_bytes()))


USUAL = ["time_zone_assumed", "unofficial", "area_codes_only"]


class Listed(AdapterContract):
    """What holds for all lists that republish warnings."""

    ENTRY: ClassVar[dict]
    TIME: ClassVar[str]
    TITLE: ClassVar[str]

    def document(self, *entries):
        """The list with these entries."""
        raise NotImplementedError

    def one(self, **changes):
        """The only item of a list with the usual entry, changed."""
        (item,) = self.read(self.document(self.ENTRY | changes)).items
        return item

    def test_it_is_never_official(self):
        assert not adapter(self.KIND).official

    def test_every_item_says_that_it_is_unofficial(self, samples):
        items = [item for data in samples.values() for item in self.read(data).items]
        assert items
        assert all("unofficial" in [one.code for one in item.findings] for item in items)

    def test_an_entry_that_cannot_be_read_leaves_the_others(self):
        reading = self.read(self.document(self.ENTRY, {}, 7, self.ENTRY | {self.TIME: "2026/13/01 08:00"}))
        assert len(reading.items) == 1
        assert [one.code for one in reading.findings] == ["item_malformed"] * 3

    def test_the_area_is_the_division_of_the_number(self):
        (area,) = self.one().alert.infos[0].areas
        assert (area.area_desc, area.geocodes[0].value_name, area.geocodes[0].value) == (
            "虚构县",
            "GB/T 2260",
            "999901",
        )

    @pytest.mark.parametrize(
        ("action", "msg_type"),
        [
            ("发布", "Alert"),
            ("更新", "Update"),
            ("变更", "Update"),
            ("继续发布", "Update"),
            ("解除", "Cancel"),
        ],
    )
    def test_the_headline_says_what_is_done(self, action, msg_type):
        assert self.one(**{self.TITLE: f"虚构县气象台{action}暴雨橙色预警信号"}).alert.msg_type == msg_type

    def test_a_grade_that_is_not_the_colours_is_held(self):
        item = self.one(**{self.TITLE: "虚构县气象台发布暴雨橙色预警信号[I级/特别严重]"})
        assert item.alert.infos[0].severity == "Unknown"
        assert not [one for one in item.alert.infos[0].parameters if one.value_name == "tongda:colour"]
        assert "title_disagrees" in [one.code for one in item.findings]
        assert CODES["title_disagrees"].severity == "error"

    def test_a_headline_that_lifts_in_words_of_its_own_is_held(self):
        item = self.one(**{self.TITLE: "虚构县暴雨橙色预警和大风蓝色预警均已解除"})
        assert "title_disagrees" in [one.code for one in item.findings]

    def test_characters_that_cap_cannot_carry_do_no_harm(self):
        for title in ("虚构县气象台发布暴雨橙色预警\u0001", "虚构县气象台发布暴\u0001雨橙色预警"):
            reading = self.read(self.document(self.ENTRY | {self.TITLE: title}))
            assert len(reading.items) + len(reading.findings) == 1


class TestList12379(Listed):
    KIND = "list12379"
    GOOD = ("china/alarm_list_12379.json",)
    TIME, TITLE = "sendTime", "headline"
    ENTRY: ClassVar = {
        "identifier": "99990141600000_20260701080000",
        "headline": "虚构县气象台发布暴雨橙色预警/II/严重",
        "description": "合成样例。",
        "sendTime": "2026-07-01 08:00:00",
    }
    MADE: ClassVar = {"empty": b'{"alertData": []}', "full": json.dumps({"alertData": [ENTRY]}).encode()}
    EXPECTED: ClassVar = {
        "china/alarm_list_12379.json": [
            {
                "key": {
                    "sender": "12379.cn",
                    "identifier": "12000041600000_20180121223442",
                    "sent": "2018-01-21T14:36:38+00:00",
                },
                "msgType": "Alert",
                "severity": "Moderate",
                "event": "道路结冰",
                "expires": None,
                "areas": 1,
                "polygons": 0,
                "findings": USUAL,
            }
        ],
        "empty": [],
    }

    def document(self, *entries):
        return json.dumps({"alertData": entries}).encode()

    def test_absence_means_nothing(self):
        assert self.read(self.document(self.ENTRY)).listed is None

    def test_without_a_colour_in_the_headline_there_is_none_and_the_headline_is_the_event(self):
        item = self.one(headline="虚构县气象台发布高温预警")
        (info,) = item.alert.infos
        assert (info.event, info.severity, info.event_codes) == ("虚构县气象台发布高温预警", "Unknown", ())
        assert "title_unreadable" in [one.code for one in item.findings]


def picture(code):
    return f"https://image.nmc.cn/assets/img/alarm/{code}.png"


class TestNmc(Listed):
    KIND = "nmc"
    GOOD = ("china/nmc_findAlarm.json",)
    TIME, TITLE = "issuetime", "title"
    ENTRY: ClassVar = {
        "alertid": "999901416000_20260701080000",
        "issuetime": "2026/07/01 08:00",
        "title": "虚构县气象台发布暴雨橙色预警信号",
        "url": "/publish/alarm/x.html",
        "pic": picture("p0002002"),
    }
    EXPECTED: ClassVar = {
        "china/nmc_findAlarm.json": [
            {"msgType": "Alert", "severity": "Moderate", "event": "大雾", "sent": "2026-03-07T17:46:00+08:00"}
            | {"expires": None, "findings": USUAL},
            {"severity": "Moderate", "event": "道路结冰", "findings": USUAL},
            {"severity": "Moderate", "event": "道路结冰", "findings": USUAL},
            {"severity": "Extreme", "event": "大雾", "findings": USUAL},
            # The picture of this entry is that of a typhoon.
            {"severity": "Severe", "event": "暴雨"}
            | {"findings": ["time_zone_assumed", "unofficial", "title_disagrees", "area_codes_only"]},
            {"severity": "Moderate", "event": "大雾", "findings": USUAL},
            {"severity": "Moderate", "event": "道路结冰", "findings": USUAL},
        ]
    }

    def document(self, *entries, provinces=(), **page):
        whole = {"pageNo": 1, "pageSize": 50, "count": len(entries), "list": entries} | page
        return json.dumps(
            {"msg": "success", "code": 0, "data": {"page": whole, "provinceAlarms": provinces}}
        ).encode()

    def test_an_empty_list_is_recognised(self):
        data = self.document()
        assert adapter(self.KIND).recognises(Document(data))
        assert self.read(data).listed == frozenset()

    @pytest.mark.parametrize("page", [{"count": 2}, {"pageNo": 2}, {"count": None}])
    def test_a_list_that_is_a_part_lists_nothing(self, page):
        assert self.read(self.document(self.ENTRY, **page)).listed is None

    def test_a_list_with_an_entry_that_cannot_be_read_lists_nothing(self):
        assert self.read(self.document(self.ENTRY, {})).listed is None

    def test_a_warning_that_stands_in_both_lists_is_one(self):
        reading = self.read(self.document(self.ENTRY, provinces=[self.ENTRY]))
        assert len(reading.items) == 1
        assert reading.listed == {"nmc.cn,999901416000_20260701080000,2026-07-01T08:00:00+08:00"}

    @pytest.mark.parametrize(
        ("pic", "found"),
        [
            (picture("p0002002"), USUAL),
            ("", USUAL),
            (picture("x"), ["value_dropped"]),
            (picture("p0002001"), ["title_disagrees"]),
            (picture("p0007002"), ["title_disagrees"]),
        ],
    )
    def test_the_picture_is_checked_against_the_headline(self, pic, found):
        assert set(found) <= {one.code for one in self.one(pic=pic).findings}

    def test_where_they_disagree_on_the_event_no_event_type_is_set(self):
        (info,) = self.one(pic=picture("p0007002")).alert.infos
        assert (info.event, info.event_codes) == ("暴雨", ())

    def test_a_finer_name_in_the_headline_goes_with_the_code(self):
        (info,) = self.one(title="虚构县气象台发布短时暴雨橙色预警信号").alert.infos
        assert info.event == "短时暴雨"
        assert info.event_codes[0].value == "11B03"

    def test_the_picture_stands_in_for_a_headline_that_cannot_be_read(self):
        item = self.one(title="虚构县天气预警")
        assert (item.alert.infos[0].severity, item.alert.infos[0].event) == ("Severe", "暴雨")
        assert "title_unreadable" in [one.code for one in item.findings]

    @pytest.mark.parametrize(
        ("url", "web"),
        [
            ("/publish/x.html", "http://www.nmc.cn/publish/x.html"),
            ("https://x.example.org/", "https://x.example.org/"),
            ("javascript:alert(1)", None),
            ("http://[", None),
            ("", None),
        ],
    )
    def test_links_are_absolute_web_addresses(self, url, web):
        assert self.one(url=url).alert.infos[0].web == web

    @pytest.mark.parametrize(
        "body", [{"code": 1}, {"code": 0, "data": {}}, {"code": 0, "data": {"page": {}}}]
    )
    def test_an_answer_that_is_no_list_is_refused(self, body):
        with pytest.raises(FeedRefused):
            self.read(json.dumps(body).encode())


MAP_ENTRY = {
    "id": "99990141600000_20260701080000",
    "headline": "虚构县气象台发布暴雨橙色预警信号",
    "effective": "2026/07/01 08:00",
    "description": "合成样例。",
    "longitude": 110.5,
    "latitude": 30.5,
    "type": "11B03_ORANGE",
    "title": "虚构县气象台发布暴雨橙色预警信号",
}


class TestCma(Listed):
    KIND = "cma"
    GOOD = ("china/fan_weatheralarm.json",)
    TIME, TITLE = "effective", "headline"
    ENTRY = MAP_ENTRY
    MADE: ClassVar = {
        "map": json.dumps({"code": 0, "data": [MAP_ENTRY, MAP_ENTRY | {"type": "p00022"}]}).encode(),
    }
    EXPECTED: ClassVar = {
        "china/fan_weatheralarm.json": [
            {
                "key": {
                    "sender": "fanstudio.weatheralarm",
                    "identifier": "990000-20260710023227-11B2002",
                    "sent": "2026-07-09T18:32:27+00:00",
                },
                "msgType": "Update",
                "severity": "Moderate",
                "event": "雷雨大风",
                "findings": USUAL,
            }
        ],
        "map": [{"severity": "Severe", "event": "暴雨", "expires": None, "polygons": 0, "findings": USUAL}]
        * 2,
    }

    def document(self, *entries):
        return json.dumps({"code": 0, "data": entries}).encode()

    def test_the_point_is_no_area(self):
        (info,) = self.one().alert.infos
        kept = {pair.value_name: pair.value for pair in info.parameters}
        assert kept == {"tongda:colour": "orange", "cma:longitude": "110.5", "cma:latitude": "30.5"}
        assert info.areas[0].circles == ()

    @pytest.mark.parametrize(
        ("kind", "severity", "found"),
        [
            ("11B03_orange", "Severe", USUAL),
            ("p0002002", "Severe", USUAL),
            ("", "Severe", USUAL),
            ("11B03_YELLOW", "Unknown", ["title_disagrees"]),
            ("p00023", "Unknown", ["title_disagrees"]),
            ("11B06_ORANGE", "Severe", ["title_disagrees"]),
            ("11B03_WHITE", "Severe", ["value_dropped"]),
            ("0203", "Severe", ["value_dropped"]),
            ("p00025", "Severe", ["value_dropped"]),
        ],
    )
    def test_the_type_is_checked_against_the_headline(self, kind, severity, found):
        item = self.one(type=kind)
        assert item.alert.infos[0].severity == severity
        assert set(found) <= {one.code for one in item.findings}

    def test_an_event_type_that_the_table_does_not_have_is_kept(self):
        item = self.one(type="11B33_ORANGE", headline="虚构县气象台发布虚构橙色预警")
        (info,) = item.alert.infos
        assert (info.event, info.event_codes[0].value) == ("虚构", "11B33")

    def test_an_error_code_is_refused(self):
        with pytest.raises(FeedRefused, match="error code"):
            self.read(b'{"code": 7, "data": []}')


def test_p_codes_count_from_red():
    assert [p_code(f"p000100{digit}").level for digit in range(1, 5)] == list(Level)
    assert p_code("p0001005") == p_code("x") == p_code("")
