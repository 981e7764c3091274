"""Headlines of Chinese warnings."""

from __future__ import annotations

import pytest

from gateway.alerts.title import place_of, read_title

TITLES = [
    ("河南省气象局发布大风蓝色预警[IV级/一般]", ("河南省气象局", "Alert", "大风", "blue", "blue")),
    ("天津市气象局发布道路结冰黄色预警/III/较重", ("天津市气象局", "Alert", "道路结冰", "yellow", "yellow")),
    ("测试省气象局发布暴雨红色[I级/特别严重]预警", ("测试省气象局", "Alert", "暴雨", "red", "red")),
    ("测试县气象台继续发布雷雨大风黄色预警信号", ("测试县气象台", "Update", "雷雨大风", "yellow", None)),
    ("元氏县气象台更新山洪灾害蓝色预警[IV级/一般]", ("元氏县气象台", "Update", "山洪灾害", "blue", "blue")),
    ("测试县气象台变更暴雨橙色预警信号", ("测试县气象台", "Update", "暴雨", "orange", None)),
    ("测试县气象台解除暴雨橙色预警信号", ("测试县气象台", "Cancel", "暴雨", "orange", None)),
    ("测试县气象台发布解除暴雨橙色预警信号", ("测试县气象台", "Cancel", "暴雨", "orange", None)),
    (
        "测试市突发事件预警信息发布中心发布蓝藻黄色预警",
        ("测试市突发事件预警信息发布中心", "Alert", "蓝藻", "yellow", None),
    ),
    ("测试县气象台将暴雨黄色预警信号升级为暴雨橙色预警信号", None),
    ("测试县大风蓝色预警", None),
    ("测试县气象台发布高温预警", None),
    ("", None),
]


class TestTitles:
    @pytest.mark.parametrize(("text", "expected"), TITLES)
    def test_the_grammar(self, text, expected):
        title = read_title(text)
        assert (tuple(title) if title else None) == expected

    @pytest.mark.parametrize(
        ("issuer", "place"),
        [
            ("虚构县气象台", "虚构县"),
            ("虚构市突发事件预警信息发布中心", "虚构市"),
            ("气象台", "气象台"),
            ("虚构", "虚构"),
        ],
    )
    def test_an_office_is_named_after_its_place(self, issuer, place):
        assert place_of(issuer) == place
