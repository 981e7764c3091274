from __future__ import annotations

import math
import tomllib

import pytest

from gateway.alerts.hazards import Level
from gateway.audience.county import CENTRE
from gateway.feeds.seismic.intensity import (
    at_distance,
    distance_km,
    is_too_deep,
    level_of,
    radius_km,
    relation_at,
    shaken,
)
from gateway.feeds.seismic.settings import SeismicRefused, SeismicSettings, load_seismic, open_seismic
from gateway.settings import load_settings
from gateway.share import share
from tests.feeds.seismic_made import TOWNS, rules

# Radii in km, along/across the fault, from intensity III to VIII; "-" where it is reached nowhere.
RADII = {
    ("east", 5): "141/116 72/54 32/22 8/5 - -",
    ("east", 6): "320/300 177/150 93/72 44/31 15/10 -",
    ("east", 7): "692/746 394/383 220/194 118/95 59/43 24/16",
    ("central", 5): "159/157 78/66 34/25 11/7 - -",
    ("central", 6): "327/383 167/166 82/70 37/27 13/8 -",
    ("tibet", 6): "280/254 157/122 84/57 40/24 14/7 -",
    ("tibet", 7): "563/629 326/310 185/150 100/70 50/31 20/11",
    ("xinjiang", 6): "289/236 163/124 88/62 42/28 15/10 -",
}


@pytest.fixture(scope="module")
def model():
    return rules().model


@pytest.fixture(scope="module")
def levels():
    return rules().levels


class TestRelations:
    @pytest.mark.parametrize(("region", "magnitude"), RADII)
    def test_the_radii_are_those_of_the_table(self, model, region, magnitude):
        relation = model.relations[region]

        def shown(intensity):
            pair = [radius_km(axis, magnitude, intensity) for axis in (relation.long, relation.short)]
            return "/".join(f"{km:.0f}" for km in pair) if max(pair) >= 0.5 else "-"

        assert " ".join(map(shown, range(3, 9))) == RADII[region, magnitude]

    @pytest.mark.parametrize("region", ["east", "central", "tibet", "xinjiang"])
    @pytest.mark.parametrize("magnitude", [4.0, 5.5, 7.0])
    def test_both_axes_give_the_same_intensity_at_the_epicentre(self, model, region, magnitude):
        values = [
            a + b * magnitude + c * math.log10(r0)
            for a, b, c, r0 in (model.relations[region].long, model.relations[region].short)
        ]
        assert values[0] == pytest.approx(values[1], abs=0.015)

    def test_the_east_gives_7_89_at_the_epicentre_of_m_6(self, model):
        assert at_distance(model.relations["east"], 6.0, 0.0) == pytest.approx(7.89, abs=0.005)

    @pytest.mark.parametrize(("km", "longer"), [(40, "long"), (360, "short")])
    def test_the_larger_of_the_two_counts(self, model, km, longer):
        relation = model.relations["central"]
        a, b, c, r0 = getattr(relation, longer)
        assert at_distance(relation, 6.0, km) == a + b * 6.0 + c * math.log10(km + r0)

    def test_intensity_falls_with_distance_and_grows_with_magnitude(self, model):
        for relation in model.relations.values():
            falling = [at_distance(relation, 6.0, km) for km in range(0, 300, 10)]
            assert falling == sorted(falling, reverse=True)
            assert at_distance(relation, 6.1, 50) > at_distance(relation, 6.0, 50)

    @pytest.mark.parametrize(
        ("depth", "deep"), [(None, False), (0, False), (70, False), (70.1, True), (600, True)]
    )
    def test_they_do_not_hold_for_deep_earthquakes(self, model, depth, deep):
        assert is_too_deep(model, depth) is deep


class TestDistance:
    @pytest.mark.parametrize(
        ("one", "other", "km"),
        [
            ((30.0, 104.0), (30.0, 104.0), 0.0),
            ((30.0, 104.0), (31.0, 104.0), 111.195),
            ((0.0, 179.5), (0.0, -179.5), 111.195),
            # Beijing and Shanghai
            ((39.9042, 116.4074), (31.2304, 121.4737), 1067.3),
            ((0.0, 0.0), (0.0, 180.0), 20015.1),
        ],
    )
    def test_it_is_that_of_the_great_circle(self, one, other, km):
        assert distance_km(*one, *other) == pytest.approx(km, rel=1e-4)


class TestRegions:
    def test_the_usual_relation_holds_where_no_zone_does(self, model):
        assert relation_at(model, 30.0, 104.0) == model.relations["east"]

    def test_the_zone_that_holds_the_epicentre_decides(self, model):
        box = ((26.0, 97.0), (34.0, 97.0), (34.0, 103.0), (26.0, 103.0))
        zoned = model.model_validate(model.model_dump() | {"zones": [{"relation": "tibet", "polygon": box}]})
        assert relation_at(zoned, 30.0, 102.0) == model.relations["tibet"]
        assert relation_at(zoned, 30.0, 104.0) == model.relations["east"]


class TestLevels:
    @pytest.mark.parametrize(
        ("intensity", "before", "level"),
        [
            (7.0, None, "red"),
            (6.99, None, "orange"),
            (5.0, None, "orange"),
            (3.0, None, "yellow"),
            (2.99, None, None),
            # A level that stands is kept within the margin below it, and only that one.
            (6.75, "red", "red"),
            (6.69, "red", "orange"),
            (6.75, "orange", "orange"),
            (4.75, "orange", "orange"),
            (2.75, "yellow", "yellow"),
            (2.69, "yellow", None),
            (2.75, "orange", None),
            # Upwards there is no margin.
            (7.0, "orange", "red"),
        ],
    )
    def test_they_follow_the_thresholds(self, levels, intensity, before, level):
        assert level_of(levels, intensity, before and Level(before)) == (level and Level(level))

    def test_a_colour_without_a_threshold_is_not_used(self, levels):
        assert Level.BLUE not in levels.thresholds


class TestTownships:
    def shaken(self, magnitude, before=None, **changes):
        file = rules()
        model = file.model.model_copy(update=changes)
        found = shaken(model, file.levels, (*CENTRE, magnitude), TOWNS, before or {})
        return [(one.township.name, one.level.value) for one in found]

    def test_they_are_those_that_reach_a_level_the_most_shaken_first(self):
        assert self.shaken(6.0) == [
            ("青禾镇", "red"),
            ("白石镇", "orange"),
            ("柳溪镇", "orange"),
            ("云台镇", "yellow"),
        ]

    def test_a_small_earthquake_reaches_none(self):
        assert self.shaken(2.0) == []

    def test_beyond_the_reach_of_the_model_nothing_is_estimated(self):
        assert ("云台镇", "yellow") in self.shaken(7.0)
        assert ("云台镇", "yellow") not in self.shaken(7.0, reach_km=200.0)

    def test_a_township_keeps_its_level_until_it_is_clearly_below(self):
        assert self.shaken(5.3)[0] == ("青禾镇", "orange")
        assert self.shaken(5.3, {TOWNS[0].code: Level.RED})[0] == ("青禾镇", "red")


class TestFile:
    def changed(self, tmp_path, old, new):
        text = share("config/seismic.toml").read_text("utf-8")
        assert old in text
        path = tmp_path / "seismic.toml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return path

    def test_a_deployment_may_bring_its_own(self, tmp_path):
        path = self.changed(tmp_path, 'relation = "east"\n# Deeper', 'relation = "tibet"\n# Deeper')
        settings = load_settings(feeds={"seismic_file": path})
        assert open_seismic(settings).model.relation == "tibet"

    def test_the_packaged_one_is_used_otherwise(self):
        assert open_seismic(load_settings()).model.relation == "east"

    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            ('relation = "east"\n', 'relation = "moon"\n', "there is no relation 'moon'"),
            ("orange = 5.0", "orange = 7.5", "the thresholds must fall"),
            ("reach_km = 300", "reach_km = 300\nreach_miles = 200", "reach_miles"),
            ("{place}发生", "{plaice}发生", "{plaice} is none of"),
            ("{place}发生", "{place.__class__}发生", "is none of"),
            ("long = [5.7123, 1.3626, -4.2903, 25]", "long = [5.7123, 1.3626, 4.2903, 25]", "C negative"),
            ("yellow = 3.0", "yellow = 3.0\ngreen = 1.0", "green"),
            ("[levels.thresholds]", "[levels.thresholds", "line"),
        ],
    )
    def test_a_wrong_entry_is_named(self, tmp_path, old, new, sentence):
        path = self.changed(tmp_path, old, new)
        with pytest.raises(SeismicRefused) as refused:
            load_seismic(path)
        assert str(path) in str(refused.value)
        assert sentence in str(refused.value)

    def test_a_level_in_use_needs_its_instruction(self):
        data = tomllib.loads(share("config/seismic.toml").read_text("utf-8"))
        del data["text"]["instruction"]["red"]
        with pytest.raises(ValueError, match=r"text\.instruction\.red is missing"):
            SeismicSettings.model_validate(data)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(SeismicRefused, match="cannot be read"):
            load_seismic(tmp_path / "none.toml")
