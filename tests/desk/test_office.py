"""What a desk is set up with, and policies other than the packaged one."""

from __future__ import annotations

import pytest

from gateway.alerts.hazards import HazardsRefused
from gateway.desk.office import load_hazards, open_office
from gateway.desk.service import Desk
from gateway.settings import load_settings

from .conftest import make_office, make_route, ready, sent

LEVELS = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n"


class TestTheOffice:
    def test_it_opens_with_the_packaged_files(self):
        office = open_office(load_settings())
        assert office.policy.needed("red", "Alert", 1) == 2
        assert office.hazards.by_key("rainstorm") is not None
        assert office.templates.speaks("sms", "zh-CN")

    def test_a_broken_hazard_table_names_its_file(self, tmp_path):
        path = tmp_path / "hazards.toml"
        path.write_text("[cap", encoding="utf-8")
        with pytest.raises(HazardsRefused, match=r"hazards\.toml"):
            load_hazards(path)

    def test_a_drill_never_falls_back_to_the_live_route(self):
        office = make_office()
        assert "wecom" in office.channels("live")
        assert "wecom" not in office.channels("drill")
        assert office.rates("live")["sms"] == 100
        assert office.rates("drill")["sms"] == 5

    async def test_a_channel_of_another_name_uses_the_templates_of_its_kind(self, desk):
        routes = {"sms_second": make_route("smpp", host="127.0.0.1", system_id="invented")}
        desk.office = desk.office._replace(routes=routes | {"sms": desk.office.routes["sms"]})
        row = await ready(desk)
        assert row.texts["sms_second"]["zh-CN"]["text"] == row.texts["sms"]["zh-CN"]["text"]


class TestOtherPolicies:
    async def test_a_cancel_may_take_one_person_only(self, desk, database, clock, tmp_path):
        quick = Desk(database, clock, make_office(f"{LEVELS}[cancel]\napprovers = 0\n", tmp_path))
        row = await sent(quick)
        assert (await quick.cancel(row.id, "author")).state == "released"
        assert (await quick.show(row.id)).alert.state == "cancelled"
        assert (await quick.cancel(row.id, "author")).state == "released"

    async def test_a_cancel_may_wait_for_its_release(self, desk, database, clock, tmp_path):
        text = f"{LEVELS}[cancel]\napprovers = 2\nrelease_on_approval = false\n"
        slow = Desk(database, clock, make_office(text, tmp_path))
        row = await sent(slow)
        cancel = await slow.cancel(row.id, "author")
        for person in ("first", "second"):
            signed = await slow.approve(cancel.id, cancel.digest, person)
        assert (signed.alert.state, signed.released) == ("approved", None)
        assert (await slow.show(row.id)).alert.state == "released"
        await slow.release(cancel.id, "sender")
        assert (await slow.show(row.id)).alert.state == "cancelled"
