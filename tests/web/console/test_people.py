"""People and places: who is listed, what stays masked, what each step leaves in the log."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from gateway.audience.entry import Entry
from gateway.audience.masking import masked
from gateway.desk import contacts as service
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.store import audit as audit_log
from gateway.store.desk import Person
from gateway.store.tables import addresses, audit, contact_groups, contacts, group_members, regions
from tests.desk.conftest import COUNTY, NORTH, SOUTH

WHOLE = re.compile(r"1[3-9]\d{9}|invented\d@|terminal-\d")
"""An address of the invented county as nobody may see it unasked."""
FORM = {"name": "虚构新人", "region": NORTH, "role": "informant", "language": "zh-CN", "active": "1"}


async def rows(database, query):
    async with database.begin() as connection:
        return (await connection.execute(query)).all()


async def records(database, action=None):
    query = select(audit.c.action, audit.c.actor, audit.c.subject, audit.c.detail).order_by(audit.c.seq)
    found = await rows(database, query)
    return [(*one[:3], json.loads(one[3])) for one in found if action in (None, one[0])]


async def south(desk, *roles):
    """A person whose rights hold in the south only."""
    await desk.set_person(Person("local", "虚构 local", roles or ("registrar",), active=True, region=SOUTH))


async def group(database, name="虚构组", members=()):
    async with database.begin() as connection:
        row = await connection.execute(
            contact_groups.insert().values(name=name).returning(contact_groups.c.id)
        )
        number = row.scalar_one()
        for one in members:
            await connection.execute(group_members.insert().values(group_id=number, contact_id=one))
    return number


class TestMasking:
    @pytest.mark.parametrize(
        ("address", "shown"),
        [
            ("8613800001234", "138****1234"),
            ("+8613800001234", "138****1234"),
            ("13800001234", "138****1234"),
            ("441632960001", "4416****0001"),
            ("invented@example.org", "i***@example.org"),
            ("999901101000/t-1", "99990****/t-1"),
            ("1234", "****"),
        ],
    )
    def test_shows_what_people_know_an_address_by(self, address, shown):
        assert masked(address) == shown

    @pytest.mark.parametrize("login", ["registrar", "admin"])
    async def test_holds_on_every_page(self, visitor, database, login):
        number = await group(database, members=(1, 2))
        browser = await visitor(login)
        for path in (
            *(
                "/people",
                "/people?q=虚构",
                "/people?channel=sms",
                "/people/1",
                "/people/1/edit",
                "/people/new",
            ),
            *(f"/people/groups/{number}?q=虚构", "/people/groups", f"/people/places/{NORTH}"),
            *(f"/people/places/{COUNTY}/gaps", "/people/imports"),
        ):
            answer = await browser.get(path)
            assert answer.status == 200, path
            assert not WHOLE.search(answer.text), path
        assert "199****0001" in (await browser.get("/people/1")).text

    async def test_holds_in_the_log(self, visitor, database):
        browser = await visitor("registrar")
        await browser.post("/people/new", FORM | {"address.sms": "19900000077"})
        await browser.post("/people/1/edit", FORM | {"drop": "1"})
        await browser.post("/people/2/reveal", {"reason": "call +86 199 0000 0002 at once"})
        said = json.dumps([one[3] for one in await records(database)], ensure_ascii=False)
        assert not WHOLE.search(said)
        assert "0000 0002" not in said
        assert "虚构新人" not in said


class TestList:
    async def test_finds_by_each_of_its_fields(self, visitor, database):
        number = await group(database, members=(2,))
        browser = await visitor("registrar")
        for query, found in (
            ("q=虚构4", {4}),
            (f"region={NORTH}", {1, 2, 3}),
            (f"region={COUNTY}", {1, 2, 3, 4}),
            ("role=responsible", {1}),
            ("channel=sms", {1, 2, 3, 4}),
            ("channel=none", set()),
            (f"group={number}", {2}),
            ("active=0", set()),
            ("q=%25", set()),
            ("q=_", set()),
            ("page=99999999999999999999", {1, 2, 3, 4}),
            ("region=x&role=x&channel=x&group=x", {1, 2, 3, 4}),
        ):
            text = (await browser.get(f"/people?{query}")).text
            assert {int(one) for one in re.findall(r'href="/desk/people/(\d+)"', text)} == found, query

    async def test_takes_the_right(self, visitor):
        for login in ("author", "first", "auditor", "leader"):
            assert (await (await visitor(login)).get("/people")).status == 403

    async def test_shows_hostile_names_as_text(self, visitor, database):
        name = "<img src=x onerror=alert(1)>\"'{{7*7}}"
        async with database.begin() as connection:
            await connection.execute(update(contacts).where(contacts.c.id == 1).values(name=name))
            await connection.execute(update(regions).where(regions.c.code == NORTH).values(name=name))
        number = await group(database, name, (1, 2))
        browser = await visitor("registrar")
        for path in ("/people", "/people/1", "/people/1/edit", f"/people/groups/{number}", "/people/groups"):
            text = (await browser.get(path)).text
            assert "&lt;img" in text, path
            assert "<img" not in text, path
        for path in (f"/people/places/{NORTH}", f"/people/places/{COUNTY}", f"/people/places/{NORTH}/gaps"):
            assert "<img" not in (await browser.get(path)).text, path


class TestReveal:
    async def test_shows_the_address_once_and_is_logged(self, visitor, database):
        browser = await visitor("registrar")
        answer = await browser.post("/people/1/reveal", {"reason": "nobody answers"})
        assert "+8619900000001" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert not WHOLE.search((await browser.get("/people/1")).text)
        assert await records(database, "reveal") == [
            ("reveal", "registrar", "contact 1", {"reason": "nobody answers"})
        ]

    async def test_takes_a_right_of_its_own(self, visitor, database):
        browser = await visitor("admin")
        assert "/reveal" not in (await browser.get("/people/1")).text
        assert (await browser.post("/people/1/reveal", {"reason": "curious"})).status == 403
        assert await records(database, "reveal") == []

    @pytest.mark.parametrize("reason", ["", " ", "x", "x" * 201])
    async def test_takes_a_reason(self, visitor, database, reason):
        answer = await (await visitor("registrar")).post("/people/1/reveal", {"reason": reason})
        assert answer.status == 422
        assert not WHOLE.search(answer.text)
        assert await records(database, "reveal") == []

    async def test_ends_after_so_many_an_hour(self, visitor, database, clock):
        browser = await visitor("registrar")
        for _ in range(service.REVEALS):
            assert (await browser.post("/people/1/reveal", {"reason": "checking"})).status == 200
        answer = await browser.post("/people/2/reveal", {"reason": "checking"})
        assert answer.status == 422
        assert "within an hour" in answer.text
        assert not WHOLE.search(answer.text)
        assert len(await records(database, "reveal")) == service.REVEALS
        clock.advance(timedelta(hours=1, seconds=1).total_seconds())
        assert (await browser.post("/people/2/reveal", {"reason": "checking"})).status == 200

    async def test_of_a_person_elsewhere_is_refused(self, visitor, database, desk):
        await south(desk)
        browser = await visitor("local")
        assert (await browser.post("/people/1/reveal", {"reason": "curious"})).status == 422
        assert (await browser.post("/people/4/reveal", {"reason": "duty"})).status == 200
        assert [one[2] for one in await records(database, "reveal")] == ["contact 4"]


class TestEditing:
    async def test_adds_a_contact_with_checked_addresses(self, visitor, database):
        browser = await visitor("registrar")
        number = await group(database)
        form = FORM | {"region": "南湖镇", "address.sms": "199 0000 0088；19900000089", "group": str(number)}
        answer = await browser.post("/people/new", form)
        assert answer.status == 303
        new = int(answer.location.rpartition("/")[2])
        [row] = await rows(database, select(contacts).where(contacts.c.id == new))
        assert (row.region, row.role, row.active) == (SOUTH, "informant", True)
        kept = await rows(database, select(addresses.c.address).where(addresses.c.contact_id == new))
        assert [one[0] for one in kept] == ["8619900000088", "8619900000089"]
        [(_, actor, subject, detail)] = await records(database, "contact_added")
        assert (actor, subject) == ("registrar", f"contact {new}")
        assert detail == {
            "region": SOUTH,
            "role": "informant",
            "channels": ["sms", "sms"],
            "groups": [number],
        }

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"name": ""}, "the cell is empty; fill it"),
            ({"name": "x" * 101}, "longer than 100 characters; shorten it"),
            ({"region": "无此镇"}, "no loaded region has this name"),
            ({"role": "king"}, "an unknown role"),
            ({"language": "!!"}, "an unknown language"),
            ({"address.sms": "12"}, "no phone number has this length"),
            ({"address.email": "nobody"}, "the e-mail address cannot be used"),
            ({"address.radio": "x"}, "a terminal&#39;s address is its 12-digit area code"),
        ],
    )
    async def test_says_what_is_wrong_and_saves_nothing(self, visitor, database, changed, said):
        answer = await (await visitor("registrar")).post("/people/new", FORM | changed)
        assert answer.status == 422
        assert said in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert len(await rows(database, select(contacts.c.id))) == 4
        assert await records(database, "contact_added") == []

    async def test_says_it_in_chinese(self, visitor):
        answer = await (await visitor("registrar", "zh-CN")).post("/people/new", FORM | {"address.sms": "12"})
        assert "号码位数不对" in answer.text

    async def test_changes_what_was_changed_and_logs_its_names(self, visitor, database):
        form = FORM | {"drop": "1", "address.sms": "19900000099"}
        assert (await (await visitor("registrar")).post("/people/1/edit", form)).status == 303
        kept = await rows(database, select(addresses.c.address).where(addresses.c.contact_id == 1))
        assert {one[0] for one in kept} == {"invented1@example.org", "terminal-1", "8619900000099"}
        [(_, _, subject, detail)] = await records(database, "contact_changed")
        assert subject == "contact 1"
        assert detail == {"changed": ["name", "role"], "dropped": ["sms"], "added": ["sms"], "groups": []}

    async def test_an_address_of_another_contact_is_not_dropped(self, visitor, database):
        await (await visitor("registrar")).post("/people/1/edit", FORM | {"drop": "4"})
        assert len(await rows(database, select(addresses).where(addresses.c.contact_id == 2))) == 3

    async def test_taken_out_of_use_a_contact_is_listed_apart(self, visitor, database):
        browser = await visitor("registrar")
        await browser.post("/people/1/edit", {name: one for name, one in FORM.items() if name != "active"})
        [(_, _, _, detail)] = await records(database, "contact_changed")
        assert detail["active"] is False
        assert 'href="/desk/people/1"' not in (await browser.get("/people")).text
        assert 'href="/desk/people/1"' in (await browser.get("/people?active=0")).text

    async def test_a_number_of_the_register_stands_for_one_contact(self, visitor, database):
        browser = await visitor("registrar")
        assert (await browser.post("/people/1/edit", FORM | {"external_id": "A-1"})).status == 303
        for path in ("/people/2/edit", "/people/new"):
            answer = await browser.post(path, FORM | {"external_id": "A-1"})
            assert answer.status == 422
            assert "has the number A-1 already" in answer.text

    async def test_a_double_click_adds_one(self, visitor, database):
        browser = await visitor("registrar")
        once = (await browser.get("/people/new")).once()
        first = await browser.post("/people/new", FORM | {"once": once})
        again = await browser.post("/people/new", FORM | {"once": once})
        assert first.location == again.location
        assert len(await rows(database, select(contacts.c.id))) == 5

    async def test_the_log_still_holds(self, visitor, database):
        browser = await visitor("registrar")
        await browser.post("/people/new", FORM)
        await browser.post("/people/1/reveal", {"reason": "duty"})
        async with database.begin() as connection:
            assert (await audit_log.verify(connection)).reason == ""


class TestArea:
    async def test_a_person_with_one_sees_only_its_contacts(self, visitor, desk):
        await south(desk)
        browser = await visitor("local")
        text = (await browser.get("/people")).text
        assert set(re.findall(r'href="/desk/people/(\d+)"', text)) == {"4"}
        for path in (
            "/people/1",
            "/people/1/edit",
            f"/people/places/{NORTH}",
            f"/people/places/{NORTH}/gaps",
        ):
            assert (await browser.get(path)).status == 404, path
        assert NORTH not in (await browser.get("/people/new")).text
        assert (await browser.get(f"/people?region={NORTH}")).text.count('href="/desk/people/1"') == 0

    async def test_and_changes_none_elsewhere(self, visitor, desk, database):
        await south(desk)
        browser = await visitor("local")
        assert (await browser.post("/people/1/edit", FORM | {"region": SOUTH})).status == 404
        moved = await browser.post("/people/4/edit", FORM | {"region": NORTH})
        assert moved.status == 422
        assert (await browser.post("/people/new", FORM)).status == 422
        number = await group(database, members=(1,))
        assert (await browser.post(f"/people/groups/{number}/join", {"contact": "2"})).status == 422
        assert (await browser.post(f"/people/groups/{number}/leave", {"contact": "1"})).status == 422
        answer = await browser.post(f"/people/groups/{number}/delete")
        assert "Your rights hold in one region" in answer.text
        assert [one[0] for one in await records(database) if one[0] != "person"] == []

    async def test_the_step_itself_refuses_what_the_page_would_not_offer(self, desk, database, clock):
        await south(desk)
        entry = Entry(None, "虚构", NORTH, "resident", "zh-CN", True, ())
        with pytest.raises(DeskRefused, match="lies outside your area"):
            async with step(database, "local", clock.now(), desk.office.policy) as one:
                await service.add(one, entry, (), None)
        with pytest.raises(DeskRefused, match="no contact 1 in your area"):
            async with step(database, "local", clock.now(), desk.office.policy) as one:
                await service.change(one, 1, entry._replace(region=SOUTH), (), (), None)


class TestGroups:
    async def test_are_added_filled_emptied_and_deleted(self, visitor, database):
        browser = await visitor("registrar")
        path = (await browser.post("/people/groups", {"name": " 虚构防汛组 "})).location
        assert (await browser.post(f"{path}/join", {"contact": "1"})).status == 303
        assert "199****0001" in (await browser.get(path)).text
        assert 'value="1"' not in (await browser.get(f"{path}?q=虚构1")).text.partition("Found")[2]
        await browser.post(f"{path}/leave", {"contact": "1"})
        assert await rows(database, select(group_members)) == []
        assert (await browser.post(f"{path}/delete")).location == "/desk/people/groups"
        assert await rows(database, select(contact_groups)) == []
        actions = [one[0] for one in await records(database) if one[0].startswith("group")]
        assert actions == ["group_added", "group_joined", "group_left", "group_dropped"]

    async def test_of_one_name_there_is_one(self, visitor, database):
        browser = await visitor("registrar")
        await browser.post("/people/groups", {"name": "虚构组"})
        answer = await browser.post("/people/groups", {"name": "虚构组"})
        assert (answer.status, len(await rows(database, select(contact_groups)))) == (422, 1)
        for name in ("", " ", "x" * 101, "two\nlines"):
            assert (await browser.post("/people/groups", {"name": name})).status == 422

    async def test_that_are_not_there_are_told(self, visitor):
        browser = await visitor("registrar")
        assert (await browser.get("/people/groups/99")).status == 404
        for verb in ("join", "leave", "delete"):
            assert (await browser.post(f"/people/groups/99/{verb}", {"contact": "1"})).status == 422


class TestPlaces:
    async def test_lead_down_and_count(self, visitor):
        browser = await visitor("registrar")
        top = await browser.get("/people/places")
        assert top.location == f"/desk/people/places/{COUNTY}"
        text = (await browser.get(top.location)).text
        assert "北山镇" in text
        assert "南湖镇" in text
        assert (await browser.get("/people/places/000000000000")).status == 404

    async def test_show_villages_where_nobody_is_responsible(self, visitor, database):
        village = f"{NORTH[:9]}201"
        async with database.begin() as connection:
            for code, name in ((village, "缺人村"), (f"{NORTH[:9]}202", "有人村")):
                values = {"code": code, "name": name, "level": "village", "parent": NORTH, "population": 350}
                await connection.execute(regions.insert().values(**values))
            await connection.execute(
                update(contacts).where(contacts.c.id == 1).values(region=f"{NORTH[:9]}202")
            )
        text = (await (await visitor("registrar")).get(f"/people/places/{COUNTY}/gaps")).text
        assert "缺人村" in text
        assert "有人村" not in text
        assert f"/desk/people/new?region={village}" in text

    async def test_count_whom_nothing_reaches(self, visitor, database):
        async with database.begin() as connection:
            await connection.execute(addresses.delete().where(addresses.c.contact_id == 4))
        text = (await (await visitor("registrar")).get(f"/people/places/{SOUTH}")).text
        assert re.search(r'figure bad">1</div>', text)
        assert (
            'href="/desk/people/4"' in (await (await visitor("registrar")).get("/people?channel=none")).text
        )
