from __future__ import annotations

import pytest

from gateway.alerts.language import blocks_for, usual


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("zh-cn", "zh-CN"),
        ("ZH-HANS-cn", "zh-Hans-CN"),
        ("eng", "en"),
        ("ENG", "en"),
        ("en-UK", "en-GB"),
        ("zho-CN", "zh-CN"),
        ("es-419", "es-419"),
        ("bo", "bo"),
        ("x-ab", "x-ab"),
    ],
)
def test_tags_have_a_usual_spelling(tag, expected):
    assert usual(tag) == expected


class TestChoosing:
    @pytest.fixture
    def many(self, alert, info):
        tags = ("de-DE", "zh-CN", "en-US", "zh-cn", None)
        infos = [
            info.model_copy(update={"language": tag, "headline": f"{n} {tag}"}) for n, tag in enumerate(tags)
        ]
        return alert.model_copy(update={"infos": tuple(infos)})

    @pytest.mark.parametrize(
        ("wanted", "chosen"),
        [
            (("zh-CN",), ["1 zh-CN", "3 zh-cn"]),
            (("zh-TW",), ["1 zh-CN", "3 zh-cn"]),
            (("fr", "de"), ["0 de-DE"]),
            (("fr",), ["2 en-US", "4 None"]),
            ((), ["2 en-US", "4 None"]),
        ],
    )
    def test_exact_then_primary_then_default(self, many, wanted, chosen):
        assert [info.headline for info in blocks_for(many, *wanted)] == chosen

    def test_without_the_default_the_first_language_serves(self, alert):
        assert blocks_for(alert, "fr") == alert.infos

    def test_without_blocks_there_is_nothing(self, alert):
        assert blocks_for(alert.model_copy(update={"infos": ()}), "zh-CN") == ()
