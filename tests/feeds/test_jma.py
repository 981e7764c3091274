"""Telegrams of the Japan Meteorological Agency."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import ClassVar

import pytest

from gateway.alerts.model import MsgType, Severity, Status
from gateway.feeds.adapters.jma import ADAPTER
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from tests.feeds.contract import AdapterContract, assert_holds

JST = timezone(timedelta(hours=9))
FLASH = "jma/20210217140808_0_VXSE51_010000.xml"
HYPOCENTRE = "jma/20210217140847_0_VXSE52_010000.xml"
BOTH = "jma/20210217140958_0_VXSE53_010000.xml"
ADVISORY = "jma/20220918154907_08013775_VTSE41.xml"
LIFTED = "jma/20220918171502_07401528_VTSE41.xml"
SERIES = (
    "jma/20231009064018_06274659_VTSE41.xml",
    "jma/20231009072652_07314633_VTSE41.xml",
    "jma/20231009082436_00085500_VTSE41.xml",
    "jma/20231009120003_08446949_VTSE41.xml",
)
ERUPTIONS = (
    "jma/20230410231623_04156158_VXSE53.xml",
    "jma/20230411000017_05859620_VXSE53.xml",
    "jma/20230411050043_01977411_VXSE53.xml",
    "jma/20231120170318_06797589_VXSE53.xml",
)
EARLY = "jma/20240116184225_02245216_VXSE43.xml"
WEATHER = "jma/weather_warning_VPWW54_15_15_01.xml"


def telegram(body="", title="震源・震度に関する情報", **changes):
    """An invented telegram; Head and Control by their elements."""
    told = {
        "Status": "通常",
        "InfoType": "発表",
        "Serial": "1",
        "EventID": "20260701080000",
        "ReportDateTime": "2026-07-01T08:05:00+09:00",
        "DateTime": "2026-06-30T23:05:07Z",
        "HeadTitle": "震源・震度情報",
        "Headline": "<Text>これは架空の電文です。</Text>",
    } | changes
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Report xmlns="http://xml.kishou.go.jp/jmaxml1/">'
        f"<Control><Title>{title}</Title><DateTime>{told['DateTime']}</DateTime><Status>{told['Status']}</Status>"
        "<EditorialOffice>架空気象台</EditorialOffice><PublishingOffice>気象庁</PublishingOffice></Control>"
        '<Head xmlns="http://xml.kishou.go.jp/jmaxml1/informationBasis1/">'
        f"<Title>{told['HeadTitle']}</Title><ReportDateTime>{told['ReportDateTime']}</ReportDateTime>"
        f"<EventID>{told['EventID']}</EventID><InfoType>{told['InfoType']}</InfoType>"
        f"<Serial>{told['Serial']}</Serial><Headline>{told['Headline']}</Headline></Head>"
        '<Body xmlns="http://xml.kishou.go.jp/jmaxml1/body/seismology1/"'
        f' xmlns:jmx_eb="http://xml.kishou.go.jp/jmaxml1/elementBasis1/">{body}</Body></Report>'
    ).encode()


def earthquake(
    coordinate="+37.6+141.6-50000/",
    magnitude="4.5",
    *,
    extra="",
    words="Ｍ４．５",
    time="2026-07-01T08:00:00+09:00",
):
    return (
        f"<Earthquake><OriginTime>{time}</OriginTime><Hypocenter><Area><Name>架空沖</Name>"
        f"<jmx_eb:Coordinate{extra}>{coordinate}</jmx_eb:Coordinate></Area></Hypocenter>"
        f'<jmx_eb:Magnitude type="Mj" description="{words}">{magnitude}</jmx_eb:Magnitude></Earthquake>'
    )


def tsunami(*kinds, before="津波なし"):
    items = "".join(
        f"<Item><Area><Name>架空{number}</Name><Code>90{number}</Code></Area><Category><Kind><Name>{kind}</Name>"
        f"<Code>99</Code></Kind><LastKind><Name>{before}</Name></LastKind></Category></Item>"
        for number, kind in enumerate(kinds)
    )
    return f"<Tsunami><Forecast>{items}</Forecast></Tsunami>"


def weather(*kinds):
    """Kinds and their status, in one municipality; the prefecture stands before it."""
    told = "".join(f"<Kind><Name>{name}</Name><Status>{status}</Status></Kind>" for name, status in kinds)
    none = "<Kind><Status>発表警報・注意報はなし</Status></Kind>"
    return (
        '<Warning type="気象警報・注意報（府県予報区等）">'
        "<Item><Area><Name>架空県</Name><Code>990000</Code></Area></Item></Warning>"
        '<Warning type="気象警報・注意報（市町村等）">'
        f"<Item>{told or none}<Area><Name>架空町</Name><Code>9900100</Code></Area></Item></Warning>"
    )


def headline(*kinds):
    return "".join(
        '<Information type="x"><Item>'
        f"<Kind><Name>{kind}</Name></Kind>"
        "<Areas codeType='x'><Area><Name>架空</Name><Code>1</Code></Area></Areas>"
        "</Item></Information>"
        for kind in kinds
    )


def reading(data):
    found = ADAPTER.read(Document(data))
    assert_holds(found)
    return found


def item(*args, **changes):
    (one,) = reading(telegram(*args, **changes)).items
    return one


def solution(*args, **changes):
    (one,) = reading(telegram(*args, **changes)).solutions
    return one


def codes(findings):
    return [one.code for one in findings]


class TestJma(AdapterContract):
    KIND = "jma"
    GOOD = (
        *("jma/20210216071046_0_VXSE53_270000.xml", FLASH, HYPOCENTRE, BOTH, ADVISORY, LIFTED, *SERIES),
        *(*ERUPTIONS, EARLY, WEATHER),
    )
    EXPECTED: ClassVar = {
        "jma/20210216071046_0_VXSE53_270000.xml": [
            {
                "ids": ["jma:20210216160714"],
                "lat": 34.3,
                "lon": 135.2,
                "depth_km": 0.0,
                "magnitude": 1.5,
                "magnitude_type": "Mj",
                "place": "大阪府南部",
                "review": "reviewed",
                "status": "Actual",
                "findings": ["datum_not_wgs84"],
            }
        ],
        FLASH: [{"msgType": "Alert", "event": "震度３", "severity": "Minor", "areas": 2, "in_force": True}],
        HYPOCENTRE: [
            {"ids": ["jma:20210217230627"], "depth_km": 50.0, "magnitude": 4.5, "place": "福島県沖"}
        ],
        BOTH: [{"ids": ["jma:20210217230627"], "depth_km": 50.0, "magnitude": 4.5}],
        ADVISORY: [{"msgType": "Alert", "event": "津波注意報", "severity": "Moderate", "areas": 5}],
        LIFTED: [{"msgType": "Update", "severity": "Minor", "in_force": False}],
        **{
            name: [{"msgType": kind, "severity": severity, "in_force": True}]
            for name, kind, severity in zip(
                SERIES,
                ["Alert", "Update", "Update", "Update"],
                ["Moderate", "Moderate", "Moderate", "Minor"],
                strict=True,
            )
        },
        **{
            name: [{"magnitude": None, "depth_km": None, "event_type": "volcanic eruption"}]
            for name in ERUPTIONS
        },
        EARLY: [
            {"msgType": "Alert", "event": "緊急地震速報（警報）", "severity": "Severe", "areas": 2},
            {"ids": ["jma:20240116184216"], "magnitude": 5.7, "depth_km": 10.0, "review": "automatic"},
        ],
        WEATHER: [{"msgType": "Alert", "event": "高潮警報", "severity": "Severe", "areas": 1}],
    }

    @pytest.mark.parametrize("name", ["20240116184225_02245216_VXSE43", "20230410231623_04156158_VXSE53"])
    def test_another_republisher_reads_the_same_hypocentre(self, corpus, name):
        (mine,) = self.read((corpus / f"jma/{name}.xml").read_bytes()).solutions
        other = json.loads((corpus / f"jma/p2p_expected_{name}.json").read_bytes())["earthquake"]
        place = other["hypocenter"]
        # The republisher writes -1 for what is not known.
        known = {key: None if place[key] == -1 else place[key] for key in ("depth", "magnitude")}
        assert (mine.lat, mine.lon) == (place["latitude"], place["longitude"])
        assert (mine.depth_km, mine.magnitude) == (known["depth"], known["magnitude"])
        told = other.get("originTime") or other["time"]
        assert mine.time == datetime.strptime(told, "%Y/%m/%d %H:%M:%S").replace(tzinfo=JST)

    def test_another_republisher_reads_the_same_tsunami_advisory(self, corpus):
        (mine,) = self.read((corpus / SERIES[0]).read_bytes()).items
        other = json.loads((corpus / "jma/p2p_expected_20231009064018_06274659_VTSE41.json").read_bytes())
        areas = mine.alert.infos[0].areas
        assert [one.area_desc for one in areas] == [one["name"] for one in other["areas"]]
        assert {one["grade"] for one in other["areas"]} == {"Watch"}

    def test_the_telegrams_of_one_earthquake_are_one_event(self, samples):
        found = [self.read(samples[name]) for name in (HYPOCENTRE, BOTH)]
        assert found[0].solutions[0].ids == found[1].solutions[0].ids
        assert found[0].solutions[0].updated < found[1].solutions[0].updated

    def test_a_tsunami_series_is_one_event_and_each_telegram_a_message(self, samples):
        items = [self.read(samples[name]).items[0] for name in SERIES]
        assert {one.event_key for one in items} == {"VTSE41.20231009052500"}
        assert len({one.alert.key for one in items}) == 4
        assert items[-1].alert.infos[0].expires == datetime(2023, 10, 9, 18, tzinfo=JST)

    def test_an_advisory_tells_where_when_and_how_high(self, samples):
        advisory, forecast = self.read(samples[ADVISORY]).items[0].alert.infos
        assert advisory.language == "ja-JP"
        assert advisory.headline == "津波注意報を発表しました。"
        assert "宮古島・八重山地方 第1波 2022-09-18T16:00:00+09:00 1m" in advisory.description
        assert advisory.instruction.startswith("＜津波注意報＞")
        assert [(pair.value_name, pair.value) for pair in advisory.areas[0].geocodes] == [
            ("津波予報区", "802")
        ]
        assert (forecast.severity, len(forecast.areas)) == (Severity.MINOR, 4)

    def test_weather_warnings_are_those_of_municipalities(self, samples):
        (item,) = self.read(samples[WEATHER]).items
        assert item.event_key == "VPWW54.360000"
        assert [one.area_desc for one in item.alert.infos[0].areas] == ["藍住町"]


class TestEnvelope:
    @pytest.mark.parametrize(
        ("word", "status"), [("通常", Status.ACTUAL), ("訓練", Status.EXERCISE), ("試験", Status.TEST)]
    )
    def test_status(self, word, status):
        assert item(tsunami("津波警報"), "津波警報・注意報・予報a", Status=word).alert.status == status
        assert solution(earthquake(), Status=word).status == status

    @pytest.mark.parametrize(
        ("info_type", "serial", "expected"),
        [
            ("発表", "", MsgType.ALERT),
            ("発表", "1", MsgType.ALERT),
            ("発表", "2", MsgType.UPDATE),
            ("発表", "no number", MsgType.ALERT),
            ("遅延", "1", MsgType.ALERT),
            ("訂正", "1", MsgType.UPDATE),
            ("取消", "2", MsgType.CANCEL),
        ],
    )
    def test_message_type(self, info_type, serial, expected):
        one = item(tsunami("津波警報"), "津波警報・注意報・予報a", InfoType=info_type, Serial=serial)
        assert one.alert.msg_type == expected

    @pytest.mark.parametrize(
        "changes",
        [
            {"Status": "本物"},
            {"Status": ""},
            {"InfoType": "発火"},
            {"ReportDateTime": "2026-07-01T08:05:00"},
            {"DateTime": "soon"},
        ],
    )
    def test_what_decides_must_be_known(self, changes):
        with pytest.raises(FeedRefused) as refused:
            reading(telegram(earthquake(), **changes))
        assert refused.value.code == "feed_malformed"

    def test_a_telegram_of_another_kind_is_named_and_not_read(self):
        found = reading(telegram(title="地方海上警報"))
        assert not found.items
        assert not found.solutions
        assert codes(found.findings) == ["unknown_format"]

    def test_a_title_in_full_width_signs_is_the_same(self):
        assert reading(telegram(tsunami("津波警報"), "津波警報・注意報・予報ａ")).items

    def test_two_telegrams_of_one_minute_without_a_number_are_two_messages(self):
        first, second = (
            item(
                tsunami("津波警報"),
                "津波警報・注意報・予報a",
                Serial="",
                DateTime=f"2026-06-30T23:05:0{second}Z",
            )
            for second in (1, 2)
        )
        assert first.alert.key != second.alert.key
        assert first.event_key == second.event_key

    def test_two_event_ids_are_kept_and_the_first_is_the_key(self):
        one = item(tsunami("津波警報"), "津波警報・注意報・予報a", EventID="20260701080000 20260701080500")
        assert one.event_key == "VTSE41.20260701080000"
        kept = {pair.value_name: pair.value for pair in one.alert.infos[0].parameters}
        assert kept["jma:EventID"] == "20260701080000 20260701080500"

    def test_an_event_id_that_is_no_word_makes_a_word(self):
        one = item(tsunami("津波警報"), "津波警報・注意報・予報a", EventID="a,b&amp;c", Serial="1 2")
        assert one.alert.identifier == "VTSE41_a-b-c_1-2_20260630230507"


class TestCancellation:
    @pytest.mark.parametrize(
        ("title", "kind"),
        [("震度速報", "VXSE51"), ("津波警報・注意報・予報a", "VTSE41"), ("緊急地震速報（警報）", "VXSE43")],
    )
    def test_it_cancels_its_own_type_and_has_the_words_for_it(self, title, kind):
        one = item("", title, InfoType="取消")
        assert one.event_key == f"{kind}.20260701080000"
        assert (one.alert.msg_type, one.alert.infos, one.in_force) == (MsgType.CANCEL, (), True)
        assert one.alert.note == "これは架空の電文です。"

    @pytest.mark.parametrize(
        "title", ["震源・震度に関する情報", "緊急地震速報（警報）", "緊急地震速報（予報）"]
    )
    def test_it_withdraws_the_hypocentre(self, title):
        one = solution("", title, InfoType="取消")
        assert (one.withdrawn, one.ids, one.time) == (True, ("jma:20260701080000",), None)

    def test_it_withdraws_both_of_two_events(self):
        found = reading(telegram(InfoType="取消", EventID="20260701080000 20260701080500"))
        assert [one.ids for one in found.solutions] == [("jma:20260701080000",), ("jma:20260701080500",)]

    def test_without_an_event_it_is_a_finding(self):
        found = reading(telegram(InfoType="取消", EventID=""))
        assert not found.solutions
        assert codes(found.findings) == ["item_malformed"]


class TestHypocentre:
    @pytest.mark.parametrize(
        ("coordinate", "expected"),
        [
            ("+37.6+141.6-50000/", (37.6, 141.6, 50.0)),
            ("+34.3+135.2+0/", (34.3, 135.2, 0.0)),
            ("+34.3+135.2-0/", (34.3, 135.2, 0.0)),
            ("+56.7+161.4/", (56.7, 161.4, None)),
            ("-5.1-179.9-10000/", (-5.1, -179.9, 10.0)),
            (" +37.6+141.6-50000/ ", (37.6, 141.6, 50.0)),
            ("+37.6+141.6+500/", (37.6, 141.6, None)),
            ("+37.6+141.6-900000/", (37.6, 141.6, None)),
        ],
    )
    def test_coordinates(self, coordinate, expected):
        one = solution(earthquake(coordinate))
        assert (one.lat, one.lon, one.depth_km) == expected

    @pytest.mark.parametrize("coordinate", ["+37.6+141.6+500/", "+37.6+141.6-900000/"])
    def test_a_depth_that_cannot_be_is_left_out(self, coordinate):
        assert "depth_impossible" in codes(solution(earthquake(coordinate)).findings)

    @pytest.mark.parametrize(
        ("coordinate", "code"),
        [
            ("+3237.5+13040.7-10000/", "no_origin"),
            ("+3237+13040/", "no_origin"),
            ("", "no_origin"),
            ("3237.5,13040.7", "no_origin"),
            ("+97.6+141.6/", "item_malformed"),
            ("NaN", "no_origin"),
        ],
    )
    def test_other_forms_are_findings(self, coordinate, code):
        found = reading(telegram(earthquake(coordinate)))
        assert not found.solutions
        assert codes(found.findings) == [code]

    def test_degrees_beside_degrees_and_minutes_are_taken(self):
        body = earthquake("+3237.5+13040.7-10000/").replace(
            "</Area></Hypocenter>",
            "<jmx_eb:Coordinate>+32.6+130.7-10000/</jmx_eb:Coordinate></Area></Hypocenter>",
        )
        assert solution(body).lat == 32.6

    def test_the_old_datum_is_told(self):
        assert "datum_not_wgs84" in codes(solution(earthquake(extra=' datum="日本測地系"')).findings)
        assert "datum_not_wgs84" not in codes(solution(earthquake()).findings)

    def test_a_magnitude_that_is_not_known(self):
        one = solution(earthquake(magnitude="NaN", words="Ｍ不明"))
        assert (one.magnitude, one.magnitude_type, one.event_type) == (None, "", "earthquake")
        assert "magnitude_missing" in codes(one.findings)

    def test_an_origin_time_that_cannot_be_read_is_a_finding(self):
        assert codes(reading(telegram(earthquake(time="soon"))).findings) == ["item_malformed"]

    def test_two_events_of_one_telegram_have_an_id_each(self):
        body = earthquake() + earthquake("+38.0+142.0/")
        found = reading(telegram(body, EventID="20260701080000 20260701080500"))
        assert [(one.ids, one.lat) for one in found.solutions] == [
            (("jma:20260701080000",), 37.6),
            (("jma:20260701080500",), 38.0),
        ]

    def test_an_event_more_than_there_are_ids_is_a_finding(self):
        found = reading(telegram(earthquake() * 2))
        assert len(found.solutions) == 1
        assert codes(found.findings) == ["item_malformed"]

    @pytest.mark.parametrize(
        ("magnitude", "words", "comment", "expected"),
        [
            ("NaN", "Ｍ不明", "架空火山で大規模な噴火が発生しました", "volcanic eruption"),
            ("NaN", "Ｍ不明", "", "other event"),
            ("NaN", "Ｍ８を超える巨大地震", "", "earthquake"),
            ("7.1", "Ｍ７．１", "噴火", "earthquake"),
        ],
    )
    def test_a_distant_event_without_a_magnitude_is_no_earthquake(self, magnitude, words, comment, expected):
        told = f"<Comments><FreeFormComment>{comment}</FreeFormComment></Comments>"
        one = solution(earthquake(magnitude=magnitude, words=words) + told, HeadTitle="遠地地震に関する情報")
        assert one.event_type == expected
        assert ("not_an_earthquake" in codes(one.findings)) == (expected != "earthquake")


class TestLevels:
    @pytest.mark.parametrize(
        ("kind", "severity"),
        [
            ("大津波警報", Severity.EXTREME),
            ("大津波警報：発表", Severity.EXTREME),
            ("津波警報", Severity.SEVERE),
            ("津波注意報", Severity.MODERATE),
            ("津波予報（若干の海面変動）", Severity.MINOR),
            ("なにか", Severity.UNKNOWN),
        ],
    )
    def test_tsunami(self, kind, severity):
        assert item(tsunami(kind), "津波警報・注意報・予報a").alert.infos[0].severity == severity

    @pytest.mark.parametrize(
        ("kind", "severity"),
        [("大雨特別警報", Severity.EXTREME), ("高潮警報", Severity.SEVERE), ("雷注意報", Severity.MODERATE)],
    )
    def test_weather(self, kind, severity):
        one = item(weather((kind, "発表")), "気象警報・注意報（Ｈ２７）", EventID="", Serial="")
        assert one.alert.infos[0].severity == severity

    @pytest.mark.parametrize(
        ("title", "kind", "severity"),
        [
            ("震度速報", "震度７", Severity.EXTREME),
            ("震度速報", "震度６弱", Severity.EXTREME),
            ("震度速報", "震度５強", Severity.SEVERE),
            ("震度速報", "震度４", Severity.MODERATE),
            ("噴火警報・予報", "噴火警報（居住地域）", Severity.EXTREME),
            ("噴火警報・予報", "噴火警報（火口周辺）", Severity.SEVERE),
            ("土砂災害警戒情報", "土砂災害警戒情報", Severity.SEVERE),
            ("竜巻注意情報", "竜巻注意情報", Severity.MODERATE),
        ],
    )
    def test_others_by_their_headline(self, title, kind, severity):
        assert item("", title, Headline=headline(kind)).alert.infos[0].severity == severity

    @pytest.mark.parametrize(("intensity", "severity"), [("5+", Severity.SEVERE), ("6-", Severity.EXTREME)])
    def test_an_early_warning_by_the_intensity_to_come(self, intensity, severity):
        body = (
            f"<Intensity><Forecast><ForecastInt><From>{intensity}</From></ForecastInt></Forecast></Intensity>"
        )
        told = headline("緊急地震速報（警報）")
        assert item(body, "緊急地震速報（警報）", Headline=told).alert.infos[0].severity == severity


class TestLifting:
    @pytest.mark.parametrize(
        ("kinds", "events", "holds"),
        [
            (["津波注意報解除"], ["津波注意報解除"], False),
            (["津波なし"], ["津波なし"], False),
            (["津波注意報解除", "津波警報"], ["津波警報"], True),
        ],
    )
    def test_what_was_lifted_is_left_out(self, kinds, events, holds):
        one = item(tsunami(*kinds, before="津波注意報"), "津波警報・注意報・予報a")
        assert [info.event for info in one.alert.infos] == events
        assert one.in_force == holds
        assert one.alert.msg_type == MsgType.UPDATE
        assert ("not_in_force" in codes(one.findings)) != holds

    @pytest.mark.parametrize(
        ("kinds", "msg_type", "holds"),
        [
            ([("大雨警報", "発表")], MsgType.ALERT, True),
            ([("大雨警報", "継続")], MsgType.UPDATE, True),
            ([("大雨警報", "発表"), ("雷注意報", "継続")], MsgType.UPDATE, True),
            ([("大雨警報", "解除")], MsgType.UPDATE, False),
            ([("大雨警報", "解除"), ("雷注意報", "継続")], MsgType.UPDATE, True),
            ([], MsgType.UPDATE, False),
        ],
    )
    def test_weather_warnings_go_by_their_status(self, kinds, msg_type, holds):
        one = item(weather(*kinds), "気象警報・注意報（Ｈ２７）", EventID="", Serial="")
        assert (one.alert.msg_type, one.in_force) == (msg_type, holds)
        assert one.event_key == "VPWW54.990000"
        assert [info.event for info in one.alert.infos if "解除" in info.event] == []

    def test_an_all_clear_is_one_in_terms_of_cap(self):
        info = item(tsunami("津波注意報解除"), "津波警報・注意報・予報a").alert.infos[0]
        assert (info.response_types, info.urgency) == (("AllClear",), "Past")

    def test_a_telegram_with_nothing_but_words_is_in_force_and_of_unknown_severity(self):
        one = item("", "津波情報a", HeadTitle="津波観測に関する情報")
        assert one.in_force
        assert [(info.event, info.severity) for info in one.alert.infos] == [
            ("津波観測に関する情報", Severity.UNKNOWN)
        ]


class TestLimits:
    def test_more_areas_than_a_message_may_have_are_refused(self):
        with pytest.raises(FeedRefused):
            reading(telegram(tsunami(*["津波警報"] * 2001), "津波警報・注意報・予報a"))

    def test_a_doctype_is_refused(self):
        with pytest.raises(FeedRefused):
            reading(telegram(earthquake()).replace(b"<Report", b"<!DOCTYPE Report []><Report", 1))
