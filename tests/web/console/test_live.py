"""Live events: who hears what, one look for everybody, and how a stream ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientTimeout
from sqlalchemy import select, text, update

from gateway.desk import drills
from gateway.store import board as board_store
from gateway.store.console_tables import sessions
from gateway.store.desk import Person
from gateway.store.tables import people
from gateway.web.console import board, live
from gateway.web.console.parts import CONSOLE
from tests.desk.conftest import ready, sent

PATIENCE = 20


class Stream:
    """The events of one open page."""

    def __init__(self, response) -> None:
        self.response = response

    async def events(self):
        """Yield (name, data) until the server ends the stream."""
        name, data = "", []
        async for line in self.response.content:
            said = line.decode().rstrip("\n")
            field, _, value = said.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif not said and name:
                yield name, "\n".join(data)
                name, data = "", []

    async def next(self, wanted: str) -> str:
        """The data of the next event of a name."""
        async with asyncio.timeout(PATIENCE):
            async for name, data in self.events():
                if name == wanted:
                    return data
        raise AssertionError(f"the stream ended before {wanted!r} came")

    async def rest(self) -> list[str]:
        """The names of what still comes, once the server has ended it."""
        async with asyncio.timeout(PATIENCE):
            return [name async for name, _ in self.events()]


@asynccontextmanager
async def listening(browser, events: str):
    url = f"{browser.origin}/desk/live"
    async with browser.session.get(
        url, params={"events": events}, timeout=ClientTimeout(total=None)
    ) as response:
        assert response.status == 200
        yield Stream(response)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(live, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(live, "BEAT_EVERY", 0.1)


def hub(server) -> live.Live:
    for sub in server.app._subapps:
        if CONSOLE in sub:
            return sub[live.LIVE]
    raise AssertionError("there is no console")


async def move(database, release: int, state: int, count: int) -> None:
    """Have the counters of a release say that so many more deliveries got there."""
    async with database.begin() as connection:
        row = "(SELECT channel, region FROM counters WHERE release_id = :r ORDER BY 1, 2 LIMIT 1)"
        await connection.execute(
            text(
                f"INSERT INTO counters (release_id, channel, region, state, count)"
                f" SELECT :r, channel, region, :s, :n FROM {row} AS one"
                " ON CONFLICT (release_id, channel, region, state) DO UPDATE SET count = excluded.count"
            ),
            {"r": release, "s": state, "n": count},
        )


async def several(stream, beats: int):
    """Yield the events of a stream until so many beats came."""
    async with asyncio.timeout(PATIENCE):
        async for name, data in stream.events():
            yield name, data
            beats -= name == "beat"
            if not beats:
                return


async def release_of(desk, row) -> int:
    return (await desk.show(row.id)).release.id


class TestWhoHearsWhat:
    async def test_the_desk_hears_of_a_new_warning(self, visitor, desk):
        async with listening(await visitor("author"), "board waiting") as stream:
            assert "No warning is in force" in await stream.next("board")
            await sent(desk)
            async with asyncio.timeout(PATIENCE):
                while "rainstorm" not in await stream.next("board"):
                    pass

    async def test_a_board_that_is_opened_beside_another_page_shows_nothing_of_before(
        self, visitor, desk, monkeypatch
    ):
        monkeypatch.setattr(live, "REFRESH_LOOKS", 1_000_000)
        browser = await visitor("author")
        async with listening(browser, "waiting") as other:
            async with listening(browser, "board") as first:
                await first.next("board")
            before = await other.next("waiting")
            await sent(desk)
            while await other.next("waiting") == before:
                pass
            async with listening(browser, "board") as second:
                assert "rainstorm" in await second.next("board")

    async def test_a_page_that_is_opened_is_not_told_what_was_so_before(self, visitor, desk, monkeypatch):
        monkeypatch.setattr(live, "LOOK_EVERY", 1.0)
        browser = await visitor("author")
        async with listening(browser, "") as first:
            assert json.loads(await first.next("drill")) == {"title": None}
            await drills.start(desk, "汛期演练", "sender")
            async with listening(browser, "") as second:
                assert json.loads(await second.next("drill")) == {"title": "汛期演练"}

    async def test_each_hears_in_the_own_language(self, visitor, desk):
        await sent(desk)
        async with listening(await visitor("author", "zh-CN"), "board") as stream:
            said = await stream.next("board")
        assert "生效中" in said
        assert "In force" not in said

    async def test_what_waits_changes_its_version(self, visitor, desk):
        async with listening(await visitor("first"), "waiting") as stream:
            before = await stream.next("waiting")
            await ready(desk)
            assert await stream.next("waiting") != before

    async def test_a_release_tells_its_counters(self, visitor, desk, database):
        row = await sent(desk)
        number = await release_of(desk, row)
        async with listening(await visitor("author"), "release") as stream:
            first = json.loads(await stream.next("release"))
            await move(database, number, 8, 2)
            then = json.loads(await stream.next("release"))
        assert first["id"] == then["id"] == number
        assert first["channels"]["sms"] == {"planned": 3}
        assert sum(states.get("delivered", 0) for states in then["channels"].values()) == 2
        assert then["version"] > first["version"]
        assert (then["mode"], then["state"]) == ("live", "open")

    async def test_who_comes_later_hears_the_last_word_at_once(self, visitor, desk):
        await sent(desk)
        async with listening(await visitor("author"), "release board") as stream:
            await stream.next("board")
            async with listening(await visitor("first"), "release") as other:
                assert json.loads(await other.next("release"))["channels"]

    async def test_only_what_the_rights_allow_is_told(self, visitor, desk):
        await sent(desk)
        everything = "board waiting release alarm lead"
        heard = {}
        for login in ("nobody", "leader", "auditor"):
            async with listening(await visitor(login), everything) as stream:
                names = []
                async with asyncio.timeout(PATIENCE):
                    async for name, _ in stream.events():
                        names.append(name)
                        if names.count("beat") > 4:
                            break
                heard[login] = set(names)
        assert heard["nobody"] == {"beat", "drill"}
        assert heard["leader"] == {"beat", "drill", "release", "lead"}
        assert heard["auditor"] == {"beat", "drill", "board", "waiting", "release", "alarm", "lead"}

    async def test_a_stranger_hears_nothing(self, visitor):
        answer = await (await visitor(None)).get("/live")
        assert answer.status == 303
        assert answer.location.startswith("/desk/sign-in")

    async def test_nothing_is_told_that_nobody_asked_for(self, visitor):
        async with listening(await visitor("author"), "") as stream:
            names = []
            async with asyncio.timeout(PATIENCE):
                async for name, _ in stream.events():
                    names.append(name)
                    if names.count("beat") > 4:
                        break
        assert set(names) == {"beat", "drill"}

    async def test_a_hostile_text_stays_one_event(self, visitor, desk):
        await sent(desk, event="<img src=x onerror=alert(1)>\r\n\r\nevent: ended\r\ndata: x")
        async with listening(await visitor("author"), "board") as stream:
            said = await stream.next("board")
            assert "<img" not in said
            assert "&lt;img" in said
            assert await stream.next("beat")


class TestOneLookForEverybody:
    async def test_each_text_is_rendered_once(self, visitor, desk, monkeypatch):
        rendered = []
        really = board.part

        def counted(console, picture, language):
            rendered.append(language)
            return really(console, picture, language)

        monkeypatch.setattr(board, "part", counted)
        browser = await visitor("author")
        async with asyncio.timeout(PATIENCE):
            streams = [listening(browser, "board") for _ in range(12)]
            opened = [await one.__aenter__() for one in streams]
            for one in opened:
                await one.next("board")
            rendered.clear()
            monkeypatch.setattr(live, "REFRESH_LOOKS", 10**9)
            await ready(desk)  # changes nothing on the board but the step that was taken
            for one in opened:
                await one.next("board")
        assert rendered == ["en"] * len(rendered)
        assert len(rendered) <= 2  # the draft and the submission may be two changes
        for one in streams:
            await one.__aexit__(None, None, None)

    async def test_nothing_is_read_while_nobody_listens(self, visitor, server):
        assert hub(server)._tasks == []
        async with listening(await visitor("author"), "board") as stream:
            await stream.next("board")
            assert len(hub(server)._tasks) == 2
        async with asyncio.timeout(PATIENCE):
            while hub(server)._tasks:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)

    async def test_a_slow_listener_gets_the_latest_only(self):
        listener = live.Listener(1, ("author",), "en", frozenset({"board"}))
        for number in range(1000):
            listener.put("board", live.packed("board", str(number)))
        listener.put("beat", live.packed("beat", "now"))
        listener.end()
        got = [piece async for piece in listener.events()]
        assert got == [live.packed("board", "999") + live.packed("beat", "now")]

    async def test_a_reader_that_takes_nothing_loses_its_connection(self, visitor, server, monkeypatch):
        monkeypatch.setattr(live, "STALLED", 0.2)
        browser = await visitor("author")
        (cookie,) = [one for one in browser.session.cookie_jar if one.key == "tongda"]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        head = "GET /desk/live?events=board HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        writer.write(f"{head}Cookie: tongda={cookie.value}\r\n\r\n".encode())
        await reader.readuntil(b"event: ")
        writer.transport.pause_reading()
        try:
            async with asyncio.timeout(PATIENCE):
                while server.runner.server.connections:
                    hub(server)._send("board", "x" * 1_000_000)
                    await asyncio.sleep(0.02)
        finally:
            writer.transport.abort()


class TestTheEnd:
    async def test_a_person_who_is_disabled_hears_nothing_more(self, visitor, desk, clock):
        async with listening(await visitor("author"), "board") as stream:
            await stream.next("board")
            await desk.set_person(Person("author", "虚构 author", ("author",), active=False))
            assert (await stream.rest())[-1] == "ended"

    async def test_who_comes_while_sessions_are_looked_at_is_not_told_that_the_own_one_is_over(
        self, visitor, desk, monkeypatch
    ):
        asking, go_on, really = asyncio.Event(), asyncio.Event(), board_store.roles_of_sessions

        async def slow(*asked):
            asking.set()
            await go_on.wait()
            return await really(*asked)

        first, second = await visitor("author"), await visitor("first")
        monkeypatch.setattr(board_store, "roles_of_sessions", slow)
        async with listening(first, "waiting"):
            await asking.wait()
            async with listening(second, "waiting") as other:
                await other.next("beat")
                go_on.set()
                names = [name async for name, _ in several(other, 5)]
        assert "ended" not in names

    async def test_changed_roles_end_the_stream_so_that_it_is_opened_anew(self, visitor, database):
        async with listening(await visitor("author"), "board") as stream:
            await stream.next("board")
            async with database.begin() as connection:
                await connection.execute(
                    update(people).where(people.c.login == "author").values(roles=["auditor"])
                )
            assert "ended" not in await stream.rest()

    async def test_listening_is_no_use_of_a_session(self, visitor, database, clock):
        browser = await visitor("author")
        async with listening(browser, "board") as stream:
            await stream.next("board")
            clock.advance(90 * 60)
            for _ in range(3):
                await stream.next("beat")
            clock.advance(31 * 60)
            assert (await stream.rest())[-1] == "ended"
        async with database.begin() as connection:
            seen, created = (
                await connection.execute(select(sessions.c.seen_at, sessions.c.created_at))
            ).one()
        assert seen == created

    async def test_one_session_has_so_many_streams_and_no_more(self, visitor, monkeypatch):
        monkeypatch.setattr(live, "MOST_STREAMS", 2)
        browser = await visitor("author")
        async with (
            listening(browser, "board") as oldest,
            listening(browser, "board") as second,
            listening(browser, "board") as third,
            listening(await visitor("first"), "board") as other,
        ):
            assert "ended" not in await oldest.rest()
            for one in (second, third, other):
                assert await one.next("beat")

    async def test_the_server_stops_with_open_streams(self, visitor, server):
        browser = await visitor("author")
        async with listening(browser, "board") as stream, listening(browser, "lead") as other:
            await stream.next("board")
            await other.next("lead")
            async with asyncio.timeout(5):
                await server.close()
            await stream.rest()
        assert hub(server)._tasks == []
        assert not hub(server)._listeners

    async def test_a_reader_that_went_away_leaves_no_trace(self, visitor, server, caplog):
        async with listening(await visitor("author"), "board") as stream:
            await stream.next("board")
            stream.response.connection.transport.abort()
        async with asyncio.timeout(PATIENCE):
            while hub(server)._listeners:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        assert "Traceback" not in caplog.text


class TestADatabaseThatIsAway:
    async def test_is_told_with_the_time_of_the_last_word_until_it_is_back(self, visitor, database, clock):
        async with listening(await visitor("author"), "board") as stream:
            await stream.next("board")
            read_at = clock.now().isoformat()
            await rename(database, "counters", "counters_away")
            clock.advance(60)
            assert await stream.next("away") == read_at
            assert await stream.next("away") == read_at
            await rename(database, "counters_away", "counters")
            await stream.next("back")
        async with listening(await visitor("author"), "board") as stream:
            assert await stream.next("board")


async def rename(database, old: str, new: str) -> None:
    async with database.begin() as connection:
        await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
