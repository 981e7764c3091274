from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.alerts.hazards import Hazards, level_of
from gateway.alerts.lint import Source, lint
from gateway.alerts.model import MsgType, ResponseType, Status, Urgency
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from gateway.audience.area import from_alert
from gateway.desk.checks import check_ready
from gateway.feeds.drill_words import drill_words
from gateway.feeds.seismic.case import Case
from gateway.feeds.seismic.intensity import Township
from gateway.feeds.seismic.warning import Concern, Made, decide
from gateway.settings import DeskSettings
from gateway.share import share
from tests.feeds.seismic_made import ORIGIN, TOWNS, setup, version

SETUP = setup()
SOON = ORIGIN + timedelta(minutes=2)


def outcome(*solutions, reports=(), at=SOON, split=False, towns=TOWNS, made_with=SETUP):
    return decide(Case(12, solutions, reports, at, split), towns, made_with)


def first(*solutions, **more):
    """The first report, which there is."""
    made = outcome(*(solutions or (version(),)), **more)
    assert isinstance(made, Made)
    return made


def info(made):
    return made.report.alert.infos[0]


def codes(made):
    return [one.code for one in made.findings]


def after(made, *solutions, minutes=5, **more):
    """What a later document leads to."""
    return outcome(*solutions, reports=[made.report], at=ORIGIN + timedelta(minutes=minutes), **more)


class TestFirstReport:
    def test_it_is_an_alert_of_the_townships_that_shake(self):
        made = first()
        alert = made.report.alert
        assert (alert.identifier, alert.sender) == ("quake-12-1", "seismic@county.example.org")
        assert (alert.msg_type, alert.status, alert.references) == (MsgType.ALERT, Status.ACTUAL, ())
        assert from_alert(alert).geocodes == tuple(("GB/T 2260", one.code) for one in TOWNS[:3])
        assert info(made).areas[0].area_desc == "青禾镇、白石镇、柳溪镇"

    def test_its_level_is_the_gravest_of_them(self):
        made = first(version(magnitude=6.0))
        found = level_of(made.report.alert, SETUP.hazards)
        assert (found.level, found.origin) == ("red", "parameter")
        assert SETUP.hazards.hazard_of(info(made)).hazard.key == "earthquake"
        assert info(made).severity == "Extreme"

    def test_it_says_what_people_must_know(self):
        text = info(first(version(), version("emsc", "e1", agency="emsc"))).description
        for part in (
            "2026年7月1日10时00分05秒",
            "虚构县",
            "北纬30.50度",
            "东经106.50度",
            "5.5级",
            "震源深度10公里",
            "距青禾镇约0公里",
            "美国地质调查局、欧洲地中海地震中心（自动测定）",
            "第1报",
            "模型估算，并非实测",
            "估算烈度7度及以上：青禾镇；估算烈度5度及以上：白石镇；估算烈度3度及以上：柳溪镇",
        ):
            assert part in text
        assert "非官方" not in text
        assert "模型估算" in info(first()).headline

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"place": ""}, "距青禾镇约0公里处（北纬30.50度，东经106.50度）发生5.5级地震"),
            ({"depth_km": None}, "震源深度不详"),
            ({"review": "reviewed"}, "正式测定"),
            ({"agency": "xyz"}, "测定机构：XYZ"),
            ({"magnitude": 5.46}, "5.5级"),
        ],
    )
    def test_it_says_what_is_not_known(self, changes, part):
        assert part in info(first(version(**changes))).description

    def test_an_unofficial_source_is_named_so_and_held(self):
        made = first(version("wolfx", "cenc:1", agency="cenc"))
        assert "非官方，仅供参考" in info(made).description
        assert "quake_unofficial" in codes(made)

    def test_it_holds_from_the_origin_for_the_hours_of_the_file(self):
        block = info(first())
        assert (block.onset, block.expires) == (ORIGIN, ORIGIN + timedelta(hours=24))
        assert (block.urgency, block.certainty) == (Urgency.IMMEDIATE, "Observed")

    def test_after_the_first_minutes_it_is_past(self):
        made = first(at=ORIGIN + timedelta(minutes=11))
        assert (info(made).urgency, codes(made)) == (Urgency.PAST, ["quake_old"])

    def test_when_it_would_have_expired_there_is_none(self):
        assert outcome(version(), at=ORIGIN + timedelta(hours=24)) is None

    @pytest.mark.parametrize("status", [Status.TEST, Status.EXERCISE])
    def test_a_test_stays_a_test(self, status):
        assert first(version(status=status)).report.alert.status == status

    @pytest.mark.parametrize(
        "changes",
        [
            {"magnitude": 2.0},
            {"km": -400},
            {"magnitude": None},
            {"event_type": "quarry blast"},
            {"event_type": "explosion"},
            {"withdrawn": True},
        ],
        ids=["small", "far", "no magnitude", "blast", "explosion", "withdrawn"],
    )
    def test_there_is_none_where_nothing_shakes(self, changes):
        assert outcome(version(**changes)) is None

    def test_without_townships_there_is_none(self):
        assert outcome(version(), towns=()) is None

    def test_many_townships_are_counted(self):
        towns = [Township(f"9901{n:05}000", f"虚构{n}镇", 30.5, 106.5) for n in range(30)]
        made = first(towns=towns)
        assert info(made).areas[0].area_desc.endswith("等30个乡镇")
        assert len(info(made).areas[0].geocodes) == 30

    def test_it_is_good_cap_that_the_desk_takes(self):
        alert = first().report.alert
        assert parse(write(alert)).alert == alert
        told = lint(alert, now=SOON, source=Source(), hazards=SETUP.hazards)
        assert [one.code for one in told if one.severity == "error"] == []
        assert drill_words(alert) is None
        check_ready(alert, "live", SOON)

    def test_a_place_with_odd_characters_breaks_nothing(self):
        made = first(version(place="a\x00{magnitude}\x1b[31m <b>&\n"))
        assert "a{magnitude}[31m <b>&发生" in info(made).headline

    def test_a_hazard_table_without_earthquakes_leaves_out_the_code(self):
        data = tomllib.loads(share("config/hazards.toml").read_text("utf-8"))
        data["hazard"] = [one for one in data["hazard"] if one["key"] != "earthquake"]
        made = first(made_with=SETUP._replace(hazards=Hazards.from_toml(data)))
        assert info(made).event_codes == ()
        assert info(made).event == "地震"

    def test_a_sender_without_an_at_sign_is_kept_whole(self):
        made_with = SETUP._replace(desk=DeskSettings(sender="county-desk"))
        assert made_with.sender == "seismic@county-desk"


class TestDoubts:
    """Each is a finding of weight error, on which the intake holds the warning for a person."""

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"magnitude": 8.6}, "quake_magnitude_high"),
            ({"seconds": 200}, "quake_time_odd"),
            ({"depth_km": -6.0}, "quake_depth_odd"),
            ({"seconds": -600}, "quake_old"),
        ],
    )
    def test_what_cannot_well_be(self, changes, code):
        made = first(version(**changes))
        assert codes(made) == [code]
        assert made.findings[0].severity == "error"

    @pytest.mark.parametrize("changes", [{}, {"magnitude": 8.5}, {"depth_km": -4.0}, {"depth_km": None}])
    def test_what_well_can(self, changes):
        assert codes(first(version(**changes))) == []

    @pytest.mark.parametrize(("before", "doubted"), [(4.5, False), (6.5, False), (4.4, True), (6.6, True)])
    def test_a_magnitude_that_jumped_between_versions(self, before, doubted):
        made = first(replace(version(), magnitude_before=before))
        assert ("quake_magnitude_jump" in codes(made)) is doubted

    def test_a_magnitude_that_jumped_since_the_last_report(self):
        made = after(first(version(magnitude=5.0)), version("emsc", "e1", magnitude=8.1))
        assert "quake_magnitude_jump" in codes(made)

    def test_a_jump_that_was_held_is_no_measure_for_the_next(self):
        sound = first(version(magnitude=5.0))
        held = after(sound, version("emsc", "e1", magnitude=8.1))
        case = Case(12, [version("emsc", "e1", magnitude=8.4)], [sound.report, held.report], SOON)
        assert "quake_magnitude_jump" in codes(decide(case, TOWNS, SETUP))

    def test_what_an_unofficial_source_said_is_no_measure_for_an_official_one(self):
        rumour = first(version("wolfx", "cenc:1", agency="cenc", magnitude=8.1))
        assert codes(after(rumour, version("wolfx", "cenc:1", agency="cenc", magnitude=8.1), version())) == []

    def test_agencies_that_contradict_each_other(self):
        one = version(magnitude=8.1, review="reviewed")
        made = first(one, version("emsc", "e1", agency="emsc", magnitude=5.0, review="reviewed"))
        assert "quake_disputed" in codes(made)
        assert made.report.agreeing == ()

    def test_an_event_that_was_split_off(self):
        assert codes(first(split=True)) == ["quake_split"]

    def test_every_code_has_its_words(self):
        made = first(version(magnitude=8.6))
        assert all(one.message for one in made.findings)


class TestFurtherReports:
    def test_an_update_names_all_reports_before_it(self):
        one = first()
        two = after(one, version(magnitude=5.9))
        three = decide(
            Case(12, [version(magnitude=6.3)], [one.report, two.report], ORIGIN + timedelta(minutes=6)),
            TOWNS,
            SETUP,
        )
        alert = three.report.alert
        assert (alert.msg_type, alert.identifier) == (MsgType.UPDATE, "quake-12-3")
        assert [ref.key for ref in alert.references] == [one.report.alert.key, two.report.alert.key]
        assert "第3报" in info(three).description

    @pytest.mark.parametrize(
        ("changes", "news"),
        [
            ({}, False),
            ({"minute": 9, "place": "别处"}, False),
            ({"magnitude": 5.7}, False),
            ({"magnitude": 5.3}, False),
            ({"magnitude": 5.8}, True),
            ({"magnitude": 5.2}, True),
            ({"magnitude": 5.75, "km": -20}, True),
            ({"km": 30}, True),
        ],
        ids=[
            "same",
            "words",
            "up a little",
            "down a little",
            "up",
            "down",
            "level",
            "level of another place",
        ],
    )
    def test_they_are_made_of_what_matters_only(self, changes, news):
        made = after(first(towns=TOWNS[:3]), version(**changes), towns=TOWNS[:3])
        assert (made is not None) is news

    def test_a_level_falls_back_only_clearly_below_its_threshold(self):
        red = first(version(magnitude=5.4))
        assert red.report.townships[TOWNS[0].code] == "red"
        assert after(red, version(magnitude=5.2)) is None
        assert level_of(after(red, version(magnitude=5.0)).report.alert, SETUP.hazards).level == "orange"

    def test_a_second_agency_that_agrees_is_news_once(self):
        alone, other = first(), version("emsc", "e1", agency="emsc")
        agreed = after(alone, version(), other)
        assert agreed.report.agreeing == ("emsc",)
        third = version("gfz", "g1", agency="gfz")
        case = Case(12, [version(), other, third], [alone.report, agreed.report], SOON)
        assert decide(case, TOWNS, SETUP) is None

    def test_an_official_source_that_says_what_an_unofficial_one_said_is_news(self):
        rumour = version("wolfx", "cenc:1", agency="cenc")
        made = after(first(rumour), rumour, version())
        assert (made.report.alert.msg_type, codes(made)) == (MsgType.UPDATE, [])

    def test_but_not_when_no_rule_could_send_it_any_more(self):
        other = version("emsc", "e1", agency="emsc")
        assert after(first(), version(), other, minutes=11) is None

    def test_or_where_the_file_does_not_want_it(self):
        rules = SETUP.rules.model_copy(
            update={"reports": SETUP.rules.reports.model_copy(update={"on_agreement": False})}
        )
        other = version("emsc", "e1", agency="emsc")
        assert after(first(), version(), other, made_with=SETUP._replace(rules=rules)) is None

    def test_two_that_came_together_are_said_at_once(self):
        assert first(version(), version("emsc", "e1", agency="emsc")).report.agreeing == ("emsc",)


class TestCancel:
    def cancel(self, *solutions):
        made = after(first(), *solutions)
        assert made.report.alert.msg_type == MsgType.CANCEL
        return made

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"withdrawn": True}, "测定机构已撤销该次地震"),
            ({"magnitude": 2.0}, "低于提示标准"),
            ({"event_type": "quarry blast"}, "不是天然地震"),
        ],
    )
    def test_a_warning_that_is_not_so_is_taken_back(self, changes, reason):
        made = self.cancel(version(**changes))
        assert reason in made.report.alert.note
        assert reason in info(made).description
        assert "2026年7月1日10时00分05秒虚构县" in info(made).description
        assert info(made).response_types == (ResponseType.ALL_CLEAR,)

    def test_an_event_that_became_part_of_another_is_taken_back(self):
        made = self.cancel()
        assert "同一次地震" in made.report.alert.note
        assert made.chosen is None

    def test_it_names_what_it_takes_back_and_where(self):
        one = first()
        made = after(one, version(withdrawn=True))
        assert [ref.key for ref in made.report.alert.references] == [one.report.alert.key]
        assert info(made).areas == info(one).areas
        assert made.findings == ()

    def test_it_is_good_cap(self):
        alert = self.cancel(version(withdrawn=True)).report.alert
        assert parse(write(alert)).alert == alert
        told = lint(alert, now=SOON, source=Source(), hazards=SETUP.hazards)
        assert [one.code for one in told if one.severity == "error"] == []

    def test_one_of_two_that_withdraws_takes_nothing_back(self):
        made = after(first(), version(withdrawn=True), version("emsc", "e1", agency="emsc"))
        assert made is None

    def test_it_is_made_once(self):
        one = first()
        two = after(one, version(withdrawn=True))
        again = Case(12, [version(withdrawn=True)], [one.report, two.report], SOON)
        assert decide(again, TOWNS, SETUP) is None

    def test_what_comes_back_is_a_new_alert(self):
        one = first()
        two = after(one, version(withdrawn=True))
        case = Case(12, [version()], [one.report, two.report], ORIGIN + timedelta(minutes=7))
        alert = decide(case, TOWNS, SETUP).report.alert
        assert (alert.msg_type, alert.identifier, alert.references) == (MsgType.ALERT, "quake-12-3", ())

    def test_a_warning_that_is_over_is_not_taken_back(self):
        assert after(first(), version(withdrawn=True), minutes=24 * 60 + 1) is None


class TestDeep:
    def test_an_alarm_asks_the_desk_instead_of_a_warning(self):
        told = outcome(version(depth_km=120.0, magnitude=6.1, km=34))
        assert isinstance(told, Concern)
        assert told.code == "quake_deep"
        assert "M 6.1 at 120 km depth, 14 km from 白石镇" in told.sentence
        assert "no warning was made" in told.sentence

    @pytest.mark.parametrize("changes", [{"magnitude": 4.9}, {"km": -301}])
    def test_a_small_or_far_one_is_nobodys_concern(self, changes):
        assert outcome(version(depth_km=120.0, **changes)) is None

    def test_a_warning_that_stands_is_left_to_the_desk(self):
        told = after(first(), version(depth_km=90.0, magnitude=4.5))
        assert isinstance(told, Concern)
        assert "left as it is" in told.sentence

    def test_without_townships_there_is_none(self):
        assert outcome(version(depth_km=120.0, magnitude=6.1), towns=()) is None

    def test_an_unknown_depth_counts_as_shallow(self):
        assert first(version(depth_km=None)).report.townships
