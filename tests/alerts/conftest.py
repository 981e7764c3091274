"""An invented warning, and how to change one thing of it."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.alerts.hazards import Hazards
from gateway.alerts.model import Alert, Area, Info, ValuePair

CONFIG = Path(__file__).resolve().parents[2] / "config" / "hazards.toml"
SQUARE = ((30.0, 110.0), (30.0, 111.0), (31.0, 111.0), (31.0, 110.0), (30.0, 110.0))


@pytest.fixture
def now():
    return datetime(2026, 7, 1, 0, 5, tzinfo=UTC)


@pytest.fixture
def hazards():
    return Hazards.from_toml(tomllib.loads(CONFIG.read_text("utf-8")))


@pytest.fixture
def area():
    return Area(
        area_desc="虚构县", polygons=(SQUARE,), geocodes=(ValuePair(value_name="GB/T 2260", value="999900"),)
    )


@pytest.fixture
def info(area):
    return Info(
        language="zh-CN",
        categories=("Met",),
        event="暴雨",
        urgency="Immediate",
        severity="Severe",
        certainty="Likely",
        effective="2026-07-01T08:00:00+08:00",
        expires="2026-07-01T20:00:00+08:00",
        sender_name="虚构县气象台",
        headline="虚构县气象台发布暴雨橙色预警",
        description="未来三小时降雨量将达50毫米以上。",
        instruction="请注意防范。",
        web="https://warn.example.org/1",
        contact="duty@example.org",
        areas=(area,),
    )


@pytest.fixture
def alert(info):
    return Alert(
        identifier="99990041600000_20260701080000_0",
        sender="desk@warn.example.org",
        sent="2026-07-01T08:00:00+08:00",
        status="Actual",
        msg_type="Alert",
        scope="Public",
        infos=(info,),
    )
