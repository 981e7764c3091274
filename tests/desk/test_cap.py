"""A CAP file comes in and becomes a draft of ours."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.alerts.parse import parse
from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused

from .conftest import NORTH, SOUTH, START

if TYPE_CHECKING:
    from pathlib import Path

LATER = (START + timedelta(hours=6)).isoformat()


def cap(
    identifier: str = "invented-1",
    *,
    status: str = "Actual",
    msg_type: str = "Alert",
    references: str = "",
    sender: str = "station@example.org",
    parameters: tuple[tuple[str, str], ...] = (),
    severity: str = "Moderate",
    code: str = NORTH,
    more: str = "",
    extra_info: str = "",
) -> bytes:
    quoted = f"<references>{references}</references>" if references else ""
    pairs = "".join(
        f"<parameter><valueName>{name}</valueName><value>{value}</value></parameter>"
        for name, value in parameters
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier>
<sender>{sender}</sender><sent>2026-07-01T09:30:00+08:00</sent><status>{status}</status>
<msgType>{msg_type}</msgType><scope>Public</scope>{quoted}
<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Expected</urgency>
<severity>{severity}</severity><certainty>Likely</certainty><expires>{LATER}</expires>
<senderName>示范县气象台</senderName><headline>暴雨预警</headline>
<description>大雨将至{more}</description>
<instruction>请远离山沟</instruction>{pairs}<area><areaDesc>北山镇</areaDesc>
<geocode><valueName>GB/T 2260</valueName><value>{code}</value></geocode></area></info>{extra_info}
</alert>""".encode()


ENGLISH = f"""<info><language>en</language>
<category>Met</category><event>rainstorm</event><urgency>Expected</urgency>
<severity>Moderate</severity><certainty>Likely</certainty><expires>{LATER}</expires>
<senderName>Demo County Observatory</senderName><description>Heavy rain is near</description>
<instruction>Keep away from gullies</instruction><area><areaDesc>Beishan</areaDesc>
<geocode><valueName>GB/T 2260</valueName><value>{NORTH}</value></geocode></area></info>"""


class TestADraftFromAFile:
    async def test_it_is_our_message_and_keeps_the_bytes_that_came(self, desk, office):
        data = cap()
        row = await desk.draft_from_cap(data, "author")
        assert row.sender == office.settings.sender
        assert row.identifier.startswith(office.settings.issuer_code)
        assert row.original == data
        assert row.content["source"].startswith("station@example.org,invented-1,")
        assert (row.hazard, row.level, row.state, row.mode) == ("rainstorm", "yellow", "draft", "live")

    async def test_the_same_file_twice_is_one_draft(self, desk):
        one, two = await asyncio.gather(*(desk.draft_from_cap(cap(), "author") for _ in range(2)))
        assert one.id == two.id

    async def test_the_same_number_with_other_words_is_refused(self, desk):
        await desk.draft_from_cap(cap(), "author")
        with pytest.raises(DeskRefused, match="another message of the same number"):
            await desk.draft_from_cap(cap(more="！"), "author")

    async def test_what_was_given_up_may_be_drafted_again(self, desk):
        row = await desk.draft_from_cap(cap(), "author")
        await desk.withdraw(row.id, "author")
        assert (await desk.draft_from_cap(cap(), "author")).id != row.id

    @pytest.mark.parametrize("mode", ["live", "drill"])
    @pytest.mark.parametrize("status", ["System", "Test", "Draft"])
    async def test_what_is_never_sent_is_never_drafted(self, desk, status, mode):
        with pytest.raises(DeskRefused) as refused:
            await desk.draft_from_cap(cap(status=status), "author", mode)
        assert refused.value.code == "status"

    async def test_an_exercise_is_a_drill_and_nothing_else(self, desk):
        with pytest.raises(DeskRefused, match="as a drill"):
            await desk.draft_from_cap(cap(status="Exercise"), "author", "live")
        row = await desk.draft_from_cap(cap(status="Exercise"), "author", "drill")
        assert (row.mode, row.status) == ("drill", "Exercise")

    @pytest.mark.parametrize("data", [b"", b"<alert/>", b"not xml", b"\xff\xfe\x00", b"<!DOCTYPE a><alert/>"])
    async def test_what_is_no_cap_is_a_sentence(self, desk, data):
        with pytest.raises(DeskRefused, match="not a usable CAP message") as refused:
            await desk.draft_from_cap(data, "author")
        assert refused.value.code == "not_cap"

    async def test_the_desk_chooses_a_region_where_the_files_lies_elsewhere(self, desk):
        row = await desk.draft_from_cap(cap(code="110000000000"), "author")
        with pytest.raises(DeskRefused) as refused:
            await desk.submit(row.id, "author")
        assert refused.value.code.startswith("area_")
        await desk.withdraw(row.id, "author")
        chosen = await desk.draft_from_cap(cap(code="110000000000"), "author", changes=Changes(region=SOUTH))
        submitted = await desk.submit(chosen.id, "author")
        assert (await desk.show(submitted.id)).recipients == 1
        assert "南湖镇" in submitted.texts["sms"]["zh-CN"]["text"]

    async def test_a_level_that_nobody_knows_must_be_chosen(self, desk):
        with pytest.raises(DeskRefused) as refused:
            await desk.draft_from_cap(cap(severity="Unknown"), "author")
        assert refused.value.code == "level"
        row = await desk.draft_from_cap(cap(severity="Unknown"), "author", changes=Changes(level="blue"))
        info = row.content["infos"][0]
        assert (row.level, info["severity"]) == ("blue", "Minor")
        assert info["parameters"][-1]["value"] == "blue"

    @pytest.mark.parametrize("colours", [("purple",), ("blue", "red")])
    async def test_a_colour_that_is_not_clear_is_never_guessed(self, desk, office, colours):
        data = cap(parameters=tuple((office.hazards.colour_parameter, one) for one in colours))
        with pytest.raises(DeskRefused, match=f"not clear.*{colours[0]}"):
            await desk.draft_from_cap(data, "author")
        assert (await desk.draft_from_cap(data, "author", changes=Changes(level="red"))).level == "red"

    async def test_a_message_that_says_green_is_not_sent_whatever_level_is_chosen(self, desk):
        data = cap(parameters=(("awareness_level", "1; green; Minor"),))
        row = await desk.draft_from_cap(data, "author", changes=Changes(level="yellow"))
        with pytest.raises(DeskRefused, match="green"):
            await desk.submit(row.id, "author")

    async def test_a_text_that_was_not_read_whole_is_never_sent(self, desk):
        with pytest.raises(DeskRefused, match=r"description.*mend the file"):
            await desk.draft_from_cap(cap(more="<b>不</b>要外出"), "author")

    @pytest.mark.parametrize("kind", ["Ack", "Error"])
    async def test_what_is_for_machines_becomes_nothing(self, desk, kind):
        with pytest.raises(DeskRefused, match="for machines"):
            await desk.draft_from_cap(
                cap(msg_type=kind, references="a,b,2026-07-01T09:30:00+08:00"), "author"
            )

    async def test_every_language_of_the_file_is_said(self, desk):
        row = await desk.draft_from_cap(cap(extra_info=ENGLISH), "author")
        submitted = await desk.submit(row.id, "author")
        assert set(submitted.texts["sms"]) == {"zh-CN", "en", "zh-CN+confirm", "en+confirm"}
        assert "Keep away from gullies" in submitted.texts["radio"]["en"]["text"]
        assert "Beishan" in submitted.texts["radio"]["en"]["text"]

    async def test_what_is_sent_is_valid_cap_of_ours(self, desk):
        row = await desk.submit((await desk.draft_from_cap(cap(extra_info=ENGLISH), "author")).id, "author")
        await desk.approve(row.id, row.digest, "first")
        await desk.release(row.id, "sender")
        read = parse((await desk.show(row.id)).alert.xml)
        assert read.findings == []
        assert read.alert.sent == START


class TestAFollowerFromAFile:
    async def released(self, desk):
        row = await desk.submit((await desk.draft_from_cap(cap(), "author")).id, "author")
        await desk.approve(row.id, row.digest, "first")
        await desk.release(row.id, "sender")
        return row

    KEY = "station@example.org,invented-1,2026-07-01T09:30:00+08:00"

    async def test_an_update_becomes_an_update_of_ours(self, desk):
        row = await self.released(desk)
        data = cap("invented-2", msg_type="Update", references=self.KEY, severity="Severe")
        drafted = await desk.draft_from_cap(data, "author")
        assert (drafted.msg_type, drafted.supersedes, drafted.level) == ("Update", row.id, "orange")
        assert [one["identifier"] for one in drafted.content["references"]] == [row.identifier]

    async def test_a_cancel_points_to_the_prepared_one(self, desk):
        row = await self.released(desk)
        with pytest.raises(DeskRefused, match=f"about alert {row.id}") as refused:
            await desk.draft_from_cap(cap("invented-2", msg_type="Cancel", references=self.KEY), "author")
        assert refused.value.code == "use_cancel"

    @pytest.mark.parametrize("kind", ["Update", "Cancel"])
    async def test_a_stranger_s_word_on_a_warning_is_refused(self, desk, kind):
        await self.released(desk)
        stranger = cap("forged-1", msg_type=kind, references=self.KEY, sender="evil@example.net")
        with pytest.raises(DeskRefused, match=r"from evil@example\.net.*station@example\.org"):
            await desk.draft_from_cap(stranger, "author")

    async def test_a_follower_of_something_unknown_is_refused(self, desk):
        with pytest.raises(DeskRefused) as refused:
            await desk.draft_from_cap(cap("invented-2", msg_type="Update", references=self.KEY), "author")
        assert refused.value.code == "unknown_reference"


@pytest.fixture
def files(corpus: Path) -> list[bytes]:
    """Real and broken CAP files of many countries."""
    found = [*sorted(corpus.glob("cap*/**/*"))]
    return [path.read_bytes() for path in found if path.is_file()]


async def drafted_and_submitted(desk, data: bytes) -> str:
    """Draft a file for a region and a time of ours, and submit it; return its state or the refusal."""
    changes = Changes(region=NORTH, expires=START + timedelta(hours=3), level="yellow", hazard="other")
    try:
        row = await desk.draft_from_cap(data, "author", changes=changes)
        return (await desk.submit(row.id, "author")).state
    except DeskRefused as refused:
        return refused.sentence


class TestTheCorpus:
    async def test_every_file_is_submitted_or_refused_in_one_sentence(self, desk, files, clock):
        clock.advance(60)
        results = [await drafted_and_submitted(desk, data) for data in files]
        assert all(result and "\n" not in result for result in results)
        assert "submitted" in results


class TestABeginThatIsTakenAway:
    async def test_begins_when_the_alert_is_sent_whatever_the_message_said_of_it(self, desk):
        began = "<effective>2026-06-01T08:00:00+08:00</effective><onset>2026-06-01T09:00:00+08:00</onset>"
        data = cap().replace(b"<expires>", began.encode() + b"<expires>", 1)
        kept = await desk.draft_from_cap(
            cap("invented-2").replace(b"<expires>", began.encode() + b"<expires>", 1), "author"
        )
        assert kept.content["infos"][0]["onset"] is not None
        info = (await desk.draft_from_cap(data, "author", changes=Changes(at_once=True))).content["infos"][0]
        assert (info["onset"], info["effective"]) == (None, None)
