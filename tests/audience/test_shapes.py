from __future__ import annotations

import math

import pytest
import shapely

from gateway.audience.area import AreaRefused, AreaSpec
from gateway.audience.shapes import KM_PER_DEGREE, MOST_POINTS, build

SQUARE = ((30.0, 106.0), (30.0, 107.0), (31.0, 107.0), (31.0, 106.0), (30.0, 106.0))


def refusal(**parts):
    with pytest.raises(AreaRefused) as refused:
        build(AreaSpec(**parts))
    assert refused.value.code == "shape_unusable"
    assert "choose a region" in refused.value.sentence
    return refused.value.sentence


class TestAPolygon:
    def test_it_has_longitude_first_and_may_be_open(self):
        (closed,), _ = build(AreaSpec(polygons=(SQUARE,)))
        (open_,), _ = build(AreaSpec(polygons=(SQUARE[:-1],)))
        assert closed.geometry.bounds == (106.0, 30.0, 107.0, 31.0)
        assert closed.geometry.equals(open_.geometry)

    @pytest.mark.parametrize(
        ("ring", "reason"),
        [
            ((), "fewer than 3"),
            (((30, 106),), "fewer than 3"),
            (((30, 106), (30, 106), (30, 106), (30, 106)), "fewer than 3"),
            (((30, 106), (31, 107), (30, 106)), "fewer than 3"),
            (((30, 106), (31, 107), (32, 108), (30, 106)), "encloses no area"),
            (((math.nan, 106), (31, 107), (30, 107)), "no number"),
            (((30, math.inf), (31, 107), (30, 107)), "no number"),
            (((106, 30), (107, 30), (107, 31)), "longitude before latitude"),
            (((30, 206), (31, 207), (30, 207)), "does not exist on Earth"),
            (((-120, 150), (-121, 151), (-120, 151)), "does not exist on Earth"),
            (((30, 179), (31, 179), (31, -179), (30, -179)), "date line"),
        ],
    )
    def test_it_refuses_what_is_no_area(self, ring, reason):
        assert reason in refusal(polygons=(ring,))

    def test_one_bad_polygon_refuses_the_area_and_is_named(self):
        assert refusal(polygons=(SQUARE, ((30, 106),))).startswith("polygon 2 ")

    def test_it_refuses_more_points_than_can_be_looked_at(self):
        ring = tuple((30 + math.sin(n), 106 + math.cos(n)) for n in range(MOST_POINTS + 1))
        assert "more than 20000" in refusal(polygons=(ring,))

    def test_a_large_tangle_is_refused_rather_than_worked_on_for_minutes(self):
        ring = tuple((30 + (n * 7919 % 1000) / 1000, 106 + (n * 104729 % 997) / 997) for n in range(5000))
        assert "crosses itself" in refusal(polygons=(ring,))

    def test_a_bow_tie_keeps_both_of_its_loops_and_is_flagged(self):
        tie = ((30.0, 106.0), (31.0, 107.0), (30.0, 107.0), (31.0, 106.0))
        (shape,), (finding,) = build(AreaSpec(polygons=(tie,)))
        assert finding.code == "polygon_self_crossing"
        assert shape.geometry.area == pytest.approx(0.5)

    def test_a_border_wound_twice_loses_nothing_inside(self):
        twice = (*SQUARE, (30.0, 106.2), (30.8, 106.8), *SQUARE[1:])
        (shape,), _ = build(AreaSpec(polygons=(twice,)))
        assert shape.geometry.area == pytest.approx(1.0)

    def test_a_shape_that_was_lost_on_the_way_refuses_the_area(self):
        assert "could not be read" in refusal(polygons=(SQUARE,), lost=("a shape of 青禾镇",))


class TestACircle:
    @pytest.mark.parametrize("lat", [0.0, 30.5, -45.0, 60.0])
    def test_it_is_round_in_kilometres_at_any_latitude(self, lat):
        (circle,), _ = build(AreaSpec(circles=((lat, 106.0, 10.0),)))
        west, south, east, north = circle.geometry.bounds
        assert (north - south) * KM_PER_DEGREE == pytest.approx(20, rel=0.002)
        assert (east - west) * KM_PER_DEGREE * math.cos(math.radians(lat)) == pytest.approx(20, rel=0.002)

    def test_its_polygon_never_cuts_into_it(self):
        (circle,), _ = build(AreaSpec(circles=((30.5, 106.0, 10.0),)))
        rise = 10.0 / KM_PER_DEGREE
        run = rise / math.cos(math.radians(30.5))
        border = [(106.0 + run * math.cos(n), 30.5 + rise * math.sin(n)) for n in range(360)]
        assert shapely.intersects_xy(circle.geometry.buffer(1e-12), border).all()

    def test_radius_zero_is_flagged_and_reaches_nobody(self):
        shapes, (finding,) = build(AreaSpec(circles=((30.5, 106.0, 0.0),)))
        assert shapes == []
        assert finding.code == "circle_radius_zero"

    @pytest.mark.parametrize(
        ("circle", "reason"),
        [
            ((30.5, 106.0, math.nan), "no positive number"),
            ((30.5, 106.0, math.inf), "no positive number"),
            ((30.5, 106.0, -1.0), "no positive number"),
            ((math.nan, 106.0, 1.0), "no number"),
            ((106.0, 30.5, 1.0), "longitude before latitude"),
            ((89.9, 106.0, 50.0), "pole"),
            ((30.5, 179.9, 50.0), "date line"),
        ],
    )
    def test_it_refuses_what_is_no_circle(self, circle, reason):
        assert reason in refusal(circles=(circle,))
