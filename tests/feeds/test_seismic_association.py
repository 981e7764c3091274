from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts.model import Status
from gateway.feeds.seismic.association import (
    Event,
    are_apart,
    assign,
    covers,
    partition,
    score,
    touched,
    voices,
)
from gateway.feeds.seismic.preference import agreeing, preferred
from gateway.feeds.seismic.versions import Key, digest, fold, known, plain
from tests.feeds.seismic_made import ORIGIN, rules, solution, version

LIMITS = rules().association
PREFERENCE = rules().preference


def groups(*solutions):
    """The names of each event's solutions."""
    return [sorted(key.name for key in group) for group in partition(solutions, LIMITS)]


def us(**changes):
    return version("usgs", "us1", **{"agency": "us"} | changes)


def emsc(**changes):
    return version("emsc", "20260701_0000001", **{"agency": "emsc"} | changes)


class TestVersions:
    def test_the_later_one_counts_whichever_comes_first(self):
        one, two = us(minute=1, magnitude=5.0), us(minute=2, magnitude=5.4)
        assert fold(one, two).magnitude == fold(two, one).magnitude == 5.4

    @pytest.mark.parametrize(
        ("first", "second", "newer"),
        [("1", "2", "2"), ("9", "10", "10"), ("10", "9", "10"), ("a", "b", "b")],
    )
    def test_without_a_time_their_numbers_count(self, first, second, newer):
        one, two = us(minute=None, version=first), us(minute=None, version=second)
        assert fold(one, two).version == newer

    def test_without_either_the_last_to_arrive_counts(self):
        one, two = us(minute=None, magnitude=5.0), us(minute=None, magnitude=5.4)
        assert fold(one, two).magnitude == 5.4

    def test_the_magnitude_of_the_version_before_is_kept(self):
        one, two = us(minute=1, magnitude=5.0), us(minute=2, magnitude=8.1)
        assert fold(one, two).magnitude_before == 5.0

    def test_every_id_that_was_ever_named_is_remembered(self):
        one, two = us(minute=1, ids=("us1", "nc1")), us(minute=2)
        assert fold(one, two).named == {"us1", "nc1"}
        assert fold(one, two).ids == {"us1"}

    def test_a_withdrawal_that_says_no_place_stays_where_the_event_was(self):
        gone = us(minute=3, withdrawn=True, time=None, lat=None, lon=None, magnitude=None)
        for after in (fold(us(minute=1), gone), fold(gone, us(minute=1))):
            assert after.withdrawn
            assert after.time == ORIGIN

    def test_a_change_of_any_fact_is_another_version(self):
        changes = (
            {"magnitude": 5.6},
            {"depth_km": 11.0},
            {"place": "别处"},
            {"review": "reviewed"},
            {"km": 1},
        )
        seen = {digest(us(**change)) for change in ({}, {"minute": 2}, *changes)}
        assert len(seen) == 7

    def test_one_without_an_id_cannot_be_followed(self):
        assert known("usgs", solution(ids=("", " \u0000")), ORIGIN) is None

    def test_what_no_database_can_hold_is_left_out(self):
        assert plain("a\u0000b\ud800\n c" + "x" * 500) == ("ab c" + "x" * 500)[:200]
        assert known("usgs", solution(magnitude=float("nan")), ORIGIN).magnitude is None


class TestPairs:
    @pytest.mark.parametrize(
        ("changes", "may"),
        [
            ({}, True),
            ({"seconds": 30}, True),
            ({"seconds": 31}, False),
            ({"seconds": -30}, True),
            ({"km": 99}, True),
            ({"km": 101}, False),
            ({"magnitude": 6.5}, True),
            ({"magnitude": 6.6}, False),
            ({"magnitude": None}, True),
            ({"km": 199, "review": "automatic"}, True),
            ({"km": 201, "review": "automatic"}, False),
            ({"km": 199, "depth_km": 101.0}, True),
            ({"km": 199, "depth_km": 100.0}, False),
            ({"lat": None}, False),
            ({"time": None}, False),
            ({"status": Status.TEST}, False),
            ({"status": Status.EXERCISE}, False),
            ({"status": Status.SYSTEM}, False),
        ],
    )
    def test_the_windows(self, changes, may):
        one = us(review="reviewed")
        other = emsc(**{"review": "reviewed"} | changes)
        assert (score(one, other, LIMITS) is not None) is may
        assert score(one, other, LIMITS) == score(other, one, LIMITS)

    def test_a_great_earthquake_has_the_wide_window(self):
        one, other = us(review="reviewed", magnitude=7.0), emsc(review="reviewed", magnitude=6.4, km=199)
        assert score(one, other, LIMITS) is not None

    def test_two_ids_of_one_agency_are_apart(self):
        assert are_apart(us(), version("usgs", "us2", agency="us"))

    def test_one_agency_that_two_sources_pass_on_is_not(self):
        assert not are_apart(version("ingv", "ingv:40271581", agency="ingv"), emsc(agency="ingv"))

    def test_ids_of_one_form_are_apart_whoever_passes_them_on(self):
        one = version("ingv", "ingv:40271581", agency="ingv")
        assert are_apart(one, version("mirror", "ingv:40271671", agency="ingv"))

    def test_a_later_solution_of_the_source_takes_the_place_of_those_it_names(self):
        nc, merged = version(name="nc1", minute=1), us(minute=2, ids=("us1", "nc1"))
        assert covers(merged, nc)
        assert not covers(nc, merged)
        assert [one.key.name for one in voices([nc, merged])] == ["us1"]

    def test_an_earlier_one_does_not(self):
        assert not covers(us(minute=1, ids=("us1", "nc1")), version(name="nc1", minute=2))

    def test_another_source_does_not(self):
        assert not covers(us(minute=2, ids=("us1", "nc1")), version("other", "nc1", minute=1))


class TestGroups:
    def test_intersecting_ids_are_one_event_wherever_they_lie(self):
        assert groups(us(ids=("us1", "nc1")), version(name="nc1", km=900)) == [["nc1", "us1"]]

    def test_ids_of_two_sources_are_one_event_unless_far_apart_in_time(self):
        assert groups(version("a", "77"), version("b", "77", km=900)) == [["77", "77"]]
        assert groups(version("a", "77"), version("b", "77", seconds=3600)) == [["77"], ["77"]]

    def test_close_solutions_of_two_agencies_are_one_event(self):
        assert groups(us(), emsc(seconds=3, km=15)) == [["20260701_0000001", "us1"]]

    def test_two_earthquakes_3_seconds_and_350_km_apart_are_two(self):
        assert len(groups(us(), emsc(seconds=3, km=350))) == 2

    def test_aftershocks_of_one_agency_stay_apart(self):
        shocks = [version("ingv", f"4027{n}", agency="ingv", seconds=n) for n in (0, 20, 42)]
        assert len(groups(*shocks)) == 3

    def test_the_best_score_wins(self):
        near = version("ingv", "b", agency="ingv", seconds=21, km=2)
        first, second = us(), version("usgs", "us2", agency="us", seconds=20)
        assert groups(first, second, near) == [["b", "us2"], ["us1"]]

    def test_each_aftershock_finds_its_own(self):
        shocks = [version("ingv", f"i{n}", agency="ingv", seconds=20 * n) for n in range(2)]
        other = [version("emsc", f"e{n}", agency="emsc", seconds=20 * n + 2, km=10) for n in range(2)]
        assert groups(*shocks, *other) == [["e0", "i0"], ["e1", "i1"]]

    def test_no_chain_of_neighbours_joins_two_earthquakes(self):
        west, middle, east = us(km=-170), emsc(), version("gfz", "gfz1", agency="gfz", km=170)
        assert len(groups(west, middle, east)) == 2

    def test_a_test_never_meets_what_is_real(self):
        assert len(groups(us(), us(status=Status.TEST), emsc(status=Status.EXERCISE))) == 3

    def test_an_id_that_was_taken_out_of_an_event_stays_out(self):
        split = fold(us(minute=1, ids=("us1", "nc1")), us(minute=3))
        assert groups(split, version(name="nc1", minute=3)) == [["nc1"], ["us1"]]

    def test_and_comes_back_where_it_is_named_again(self):
        back = fold(fold(us(minute=1, ids=("us1", "nc1")), us(minute=3)), us(minute=5, ids=("us1", "nc1")))
        assert groups(back, version(name="nc1", minute=3)) == [["nc1", "us1"]]

    def test_a_withdrawn_solution_stays_with_its_event(self):
        assert len(groups(us(withdrawn=True), emsc())) == 1


def documents():
    """Versions of a few solutions of three sources, each made at a moment of its own."""
    names = st.sampled_from(
        [("usgs", "us1"), ("usgs", "us2"), ("usgs", "nc1"), ("emsc", "e1"), ("ingv", "i1")]
    )

    def made(name, minute, seconds, km, magnitude, more):
        return version(
            name[0],
            name[1],
            agency="ingv" if name[0] == "ingv" else name[1][:2],
            ids=(name[1], *sorted(more)) if name[0] == "usgs" else (name[1],),
            minute=minute,
            seconds=seconds,
            km=km,
            magnitude=magnitude,
        )

    one = st.builds(
        made,
        names,
        st.integers(1, 500),
        st.integers(0, 60),
        st.integers(0, 250),
        st.floats(4, 7) | st.none(),
        st.sets(st.sampled_from(["nc1", "us2", "at1"]), max_size=2),
    )
    return st.lists(one, max_size=7, unique_by=lambda each: (each.key, each.updated))


class TestOrder:
    @given(documents(), st.randoms(use_true_random=False))
    def test_any_order_of_the_same_documents_gives_the_same_events(self, came, chance):
        def after(order):
            now = {}
            for one in order:
                now[one.key] = fold(now.get(one.key), one)
            return partition(now.values(), LIMITS), {key: one.named for key, one in now.items()}

        shuffled = list(came)
        chance.shuffle(shuffled)
        assert after(came) == after(shuffled)

    @given(documents())
    def test_every_solution_is_in_one_event(self, came):
        now = {one.key: one for one in came}
        keys = [key for group in partition(now.values(), LIMITS) for key in group]
        assert sorted(keys) == sorted(now)

    @given(documents())
    def test_no_event_has_two_ids_of_an_agency_that_nothing_ties(self, came):
        now = {one.key: one for one in came}
        for group in partition(now.values(), LIMITS):
            for one, other in itertools.combinations([now[key] for key in group], 2):
                assert one.agency != other.agency or _tied(one, other, [now[key] for key in group])

    @given(documents())
    def test_what_is_not_touched_has_nothing_to_do_with_what_is(self, came):
        now = {one.key: one for one in came}
        if not now:
            return
        changed = [min(now)]
        keys = touched(list(now.values()), changed, {}, LIMITS)
        whole = {group for group in partition(now.values(), LIMITS) if not group.isdisjoint(keys)}
        assert set(partition([now[key] for key in keys], LIMITS)) == whole


def _tied(one, other, group):
    """Whether ids lead from one to the other within the group."""
    reached, todo = {one.key}, [one]
    while todo:
        at = todo.pop()
        for each in group:
            if each.key not in reached and not at.ids.isdisjoint(each.ids):
                reached.add(each.key)
                todo.append(each)
    return other.key in reached or one.key.source != other.key.source


class TestEvents:
    A, B, C = (Key("usgs", name, "Actual") for name in "abc")

    def test_a_group_without_an_event_gets_a_new_one(self):
        assert assign([frozenset({self.A})], {}, []) == [(frozenset({self.A}), None)]

    def test_a_group_keeps_its_event(self):
        group = frozenset({self.A, self.B})
        assert assign([group], {self.A: 7}, [Event(7, self.A, warned=False)]) == [(group, 7)]

    def test_a_split_event_stays_with_its_preferred_solution(self):
        parts = [frozenset({self.A, self.B}), frozenset({self.C})]
        links = dict.fromkeys((self.A, self.B, self.C), 7)
        assert assign(parts, links, [Event(7, self.C, warned=True)]) == [(parts[0], None), (parts[1], 7)]

    def test_without_it_with_most_of_its_members(self):
        parts = [frozenset({self.A}), frozenset({self.B, self.C})]
        links = dict.fromkeys((self.A, self.B, self.C), 7)
        assert assign(parts, links, [Event(7, None, warned=True)]) == [(parts[0], None), (parts[1], 7)]

    @pytest.mark.parametrize(
        ("warned", "lives"), [((False, False), 3), ((False, True), 8), ((True, True), 3)]
    )
    def test_of_two_that_become_one_the_one_that_was_warned_of_lives_on(self, warned, lives):
        group = frozenset({self.A, self.B})
        events = [Event(3, self.A, warned[0]), Event(8, self.B, warned[1])]
        assert assign([group], {self.A: 3, self.B: 8}, events) == [(group, lives)]


class TestPreference:
    def test_reviewed_before_automatic_before_order_before_newer(self):
        old = emsc(review="reviewed", minute=1)
        new = us(review="automatic", minute=9)
        assert preferred([old, new], PREFERENCE) == old
        assert preferred([replace(old, review="automatic"), new], PREFERENCE) == new

    def test_official_before_unofficial(self):
        cenc = version("wolfx", "cenc:1", agency="cenc", review="reviewed")
        assert preferred([cenc, us()], PREFERENCE) == us()

    def test_an_agency_is_first_inside_its_region_only(self):
        jma = version("jma", "j1", agency="jma", review="automatic", minute=1)
        assert preferred([jma, us()], PREFERENCE) == us()
        here = {"lat": 35.0, "lon": 140.0}
        assert preferred([replace(jma, **here), us(**here)], PREFERENCE).agency == "jma"

    def test_a_moment_magnitude_before_another_then_the_newest(self):
        one = version("a", "x1", agency="x", magnitude_type="mww", minute=1)
        two = version("b", "y1", agency="y", magnitude_type="ml", minute=9)
        assert preferred([one, two], PREFERENCE) == one
        two = replace(two, magnitude_type="Mw")
        assert preferred([one, two], PREFERENCE) == two

    @pytest.mark.parametrize(
        "missing", [{"magnitude": None}, {"lat": None}, {"time": None}, {"withdrawn": True}]
    )
    def test_one_that_cannot_be_used_is_passed_over(self, missing):
        assert preferred([us(review="reviewed", **missing), emsc()], PREFERENCE) == emsc()
        assert preferred([us(**missing)], PREFERENCE) is None

    def test_a_box_may_cross_the_date_line(self):
        geonet = next(one for one in PREFERENCE.local if one.agency == "geonet")
        assert geonet.holds(-41, 174)
        assert geonet.holds(-41, -178)
        assert not geonet.holds(-41, 150)


class TestAgreement:
    def agree(self, other, **changes):
        return agreeing([us(**changes), other], us(**changes), LIMITS, PREFERENCE)

    def test_another_agency_by_another_source_agrees(self):
        assert self.agree(emsc(seconds=2, km=10)) == ("emsc",)

    @pytest.mark.parametrize(
        "other",
        [
            version("usgs", "nc1", agency="nc"),
            version("emsc", "e1", agency="us"),
            version("wolfx", "w1", agency="cenc"),
            version("emsc", "e1", agency="emsc", magnitude=None),
            version("emsc", "e1", agency="emsc", magnitude=6.6),
            version("emsc", "e1", agency="emsc", km=350, seconds=3),
            version("emsc", "e1", agency="emsc", withdrawn=True),
            version("emsc", "e1", agency="emsc", event_type="quarry blast"),
            version("emsc", "e1", agency=""),
        ],
        ids=[
            "one source",
            "one agency",
            "unofficial",
            "no magnitude",
            "another magnitude",
            "350 km away",
            "withdrawn",
            "no earthquake",
            "nobody",
        ],
    )
    def test_nothing_else_does(self, other):
        assert self.agree(other) == ()

    def test_a_solution_that_was_replaced_does_not(self):
        merged = version("emsc", "e2", agency="emsc", ids=("e2", "e1"), minute=5)
        old = version("emsc", "e1", agency="gfz", minute=1)
        assert agreeing([us(), old, merged], us(), LIMITS, PREFERENCE) == ("emsc",)

    def test_time_between_them_is_bounded(self):
        assert self.agree(replace(emsc(), time=ORIGIN + timedelta(seconds=31))) == ()
