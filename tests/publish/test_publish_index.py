"""The index as our own readers and the standards see it, and what is served over HTTP."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestServer
from lxml import etree
from redis.asyncio import Redis

from gateway.alerts.parse import parse
from gateway.alerts.signature import verify
from gateway.feeds.adapters import adapter
from gateway.feeds.document import Document
from gateway.publish.index import Entry, Head, atom, rss
from gateway.settings import load_settings
from gateway.web import make_app
from tests.desk.conftest import START, sent
from tests.publish.conftest import BASE, follow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ATOM, CAP = "{http://www.w3.org/2005/Atom}", "{urn:oasis:names:tc:emergency:cap:1.2}"
HEAD = Head("Warnings", "Invented bureau", f"{BASE}/cap/atom.xml", f"{BASE}/", START)
SUMMARY = {
    "identifier": "A-1", "sender": "desk@example.org", "sent": "2026-07-01T10:00:00+08:00",
    "status": "Actual", "msgType": "Alert", "scope": "Public", "expires": "2026-07-01T16:00:00+08:00",
    "areas": ["北山镇", "南湖镇"], "category": ["Met", "Geo"], "event": "暴雨", "headline": "<暴雨> & 大风",
    "description": None, "urgency": "Immediate", "severity": "Severe", "certainty": "Observed",
}  # fmt: skip
ENTRY = Entry(f"{BASE}/cap/A-1.xml", START, SUMMARY)


class TestTheFormats:
    @pytest.mark.parametrize(("kind", "write"), [("atom", atom), ("rss", rss)])
    def test_our_own_readers_find_each_alert(self, kind, write):
        entries = [ENTRY, ENTRY._replace(url=f"{BASE}/cap/A-2.xml")]
        document = Document(write(HEAD, entries), HEAD.url)
        assert adapter(kind).recognises(document)
        reading = adapter(kind).read(document)
        assert [one.url for one in reading.links] == [one.url for one in entries]
        assert [one.title for one in reading.links] == ["<暴雨> & 大风"] * 2
        assert reading.findings == []

    @pytest.mark.parametrize(("kind", "write"), [("atom", atom), ("rss", rss)])
    def test_an_empty_index_is_one_too(self, kind, write):
        reading = adapter(kind).read(Document(write(HEAD._replace(updated=None), []), HEAD.url))
        assert (reading.links, reading.findings) == ([], [])

    def test_atom_has_what_rfc_4287_demands(self):
        feed = etree.fromstring(atom(HEAD, [ENTRY]))
        assert [feed.findtext(f"{ATOM}{name}") for name in ("id", "title", "updated")] == [
            HEAD.url, "Warnings", "2026-07-01T02:00:00+00:00",
        ]  # fmt: skip
        assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Invented bureau"
        entry = feed.find(f"{ATOM}entry")
        assert entry.findtext(f"{ATOM}id") == ENTRY.url
        link = entry.find(f"{ATOM}link[@rel='alternate']")
        assert (link.get("type"), link.get("href")) == ("application/cap+xml", ENTRY.url)

    @pytest.mark.parametrize(("write", "path"), [(atom, f"{ATOM}entry"), (rss, "channel/item")])
    def test_elements_of_cap_tell_what_it_is_about(self, write, path):
        entry = etree.fromstring(write(HEAD, [ENTRY])).find(path)
        told = [(one.tag.removeprefix(CAP), one.text) for one in entry if one.tag.startswith(CAP)]
        assert ("event", "暴雨") in told
        assert [text for name, text in told if name == "areaDesc"] == SUMMARY["areas"]
        assert [text for name, text in told if name == "category"] == SUMMARY["category"]
        assert ("status", "Actual") in told
        assert not any(text in (None, "None") for _, text in told)

    def test_rss_has_a_permanent_link_and_a_date(self):
        item = etree.fromstring(rss(HEAD, [ENTRY])).find("channel/item")
        assert item.find("guid").get("isPermaLink") == "true"
        assert item.findtext("guid") == item.findtext("link") == ENTRY.url
        assert parsedate_to_datetime(item.findtext("pubDate")) == START

    @pytest.mark.parametrize("write", [atom, rss])
    def test_a_cancel_without_info_is_listed_by_its_identifier(self, write):
        bare = {name: SUMMARY[name] for name in ("identifier", "sender", "sent", "status")} | {"areas": []}
        assert b"A-1</" in write(HEAD, [ENTRY._replace(summary=bare)])


@pytest.fixture
async def redis(redis_url) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def serve(database, clock, redis, aiohttp_client, tmp_path, monkeypatch):
    async def start(**publish):
        monkeypatch.chdir(tmp_path)
        settings = load_settings(state_dir=tmp_path / "state", publish={"base_url": BASE} | publish)
        return await aiohttp_client(TestServer(make_app(settings, database, redis, None, clock)))

    return start


@pytest.fixture
async def client(serve):
    return await serve(enabled=True)


async def listed(client, path: str = "/cap/atom.xml") -> list[str]:
    answer = await client.get(path)
    kind = path.removeprefix("/cap/").removesuffix(".xml")
    reading = adapter(kind).read(Document(await answer.read(), BASE + path))
    return [one.url.removeprefix(f"{BASE}/cap/").removesuffix(".xml") for one in reading.links]


class TestDocuments:
    async def test_a_subscriber_verifies_what_the_index_leads_to(self, desk, publisher, client, bureau):
        released = await sent(desk)
        await publisher.publish_due()
        (identifier,) = await listed(client)
        answer = await client.get(f"/cap/{identifier}.xml")
        data = await answer.read()
        assert answer.headers["Content-Type"] == "application/cap+xml; charset=utf-8"
        assert verify(data, [bureau.certificate], START).state == "valid-trusted"
        assert parse(data).alert.identifier == released.identifier

    async def test_the_bytes_never_change_and_may_be_kept(self, desk, publisher, client, clock):
        released = await sent(desk)
        await publisher.publish_due()
        first = await client.get(f"/cap/{released.identifier}.xml")
        clock.advance(timedelta(days=400).total_seconds())
        second = await client.get(f"/cap/{released.identifier}.xml")
        data = await first.read()
        assert data == await second.read()
        assert first.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert first.headers["Last-Modified"] == format_datetime(START, usegmt=True)
        assert "immutable" in first.headers["Cache-Control"]

    @pytest.mark.parametrize(
        "path", ["nothing", "..%2f..%2fetc%2fpasswd", "a%00b", "%F0%9F%92%A9", "x" * 300]
    )
    async def test_what_is_not_published_is_not_found(self, client, path):
        answer = await client.get(f"/cap/{path}.xml")
        assert answer.status == 404

    async def test_a_drill_has_no_address(self, desk, publisher, client):
        drill = await sent(desk, mode="drill")
        await publisher.publish_due()
        assert (await client.get(f"/cap/{drill.identifier}.xml")).status == 404

    async def test_nothing_is_served_where_nothing_is_published(self, serve):
        client = await serve()
        assert (await client.get("/cap/atom.xml")).status == 404


class TestConditionalRequests:
    @pytest.mark.parametrize("path", ["/cap/{}.xml", "/cap/atom.xml", "/cap/rss.xml"])
    async def test_who_has_it_gets_304(self, desk, publisher, client, path):
        released = await sent(desk)
        await publisher.publish_due()
        path = path.format(released.identifier)
        first = await client.get(path)
        tag = first.headers["ETag"]
        for asked in ({"If-None-Match": tag}, {"If-None-Match": f'"x", W/{tag}'}):
            again = await client.get(path, headers=asked)
            assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)

    async def test_a_document_never_changes_and_so_its_date_is_enough(self, desk, publisher, client):
        released = await sent(desk)
        await publisher.publish_due()
        path = f"/cap/{released.identifier}.xml"
        changed = (await client.get(path)).headers["Last-Modified"]
        assert (await client.get(path, headers={"If-Modified-Since": changed})).status == 304

    @pytest.mark.parametrize("path", ["/cap/atom.xml", "/cap/rss.xml"])
    async def test_two_publications_within_a_second_are_both_seen(self, desk, publisher, client, path):
        await sent(desk)
        await publisher.publish_due()
        changed = (await client.get(path)).headers["Last-Modified"]
        await sent(desk)
        await publisher.publish_due()
        answer = await client.get(path, headers={"If-Modified-Since": changed})
        assert (answer.status, answer.headers["Last-Modified"]) == (200, changed)

    async def test_who_has_something_else_gets_it(self, desk, publisher, client):
        await sent(desk)
        await publisher.publish_due()
        changed = (await client.get("/cap/atom.xml")).headers["Last-Modified"]
        for asked in (
            {"If-None-Match": '"other"', "If-Modified-Since": changed},
            {"If-None-Match": "x y"},
            {"If-Modified-Since": "no date"},
            {"If-Modified-Since": format_datetime(START - timedelta(hours=1), usegmt=True)},
        ):
            assert (await client.get("/cap/atom.xml", headers=asked)).status == 200

    async def test_an_expiry_changes_the_index(self, desk, publisher, client, clock):
        await sent(desk)
        await publisher.publish_due()
        before = await client.get("/cap/atom.xml")
        clock.advance(timedelta(hours=7).total_seconds())
        answer = await client.get("/cap/atom.xml", headers={"If-None-Match": before.headers["ETag"]})
        assert answer.status == 200
        assert answer.headers["Last-Modified"] != before.headers["Last-Modified"]

    async def test_head_is_answered(self, client):
        answer = await client.head("/cap/atom.xml")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/atom+xml; charset=utf-8")


class TestTheIndex:
    @pytest.mark.parametrize("path", ["/cap/atom.xml", "/cap/rss.xml"])
    async def test_the_newest_comes_first(self, desk, publisher, client, path):
        due = [(await sent(desk)).identifier for _ in range(3)]
        await publisher.publish_due()
        assert await listed(client, path) == due[::-1]

    async def test_it_is_bounded(self, desk, publisher, serve):
        client = await serve(enabled=True, most=2)
        due = [(await sent(desk)).identifier for _ in range(3)]
        await publisher.publish_due()
        assert await listed(client) == [due[2], due[1]]

    async def test_what_has_expired_leaves_it_and_keeps_its_address(self, desk, publisher, client, clock):
        released = await sent(desk)
        await publisher.publish_due()
        clock.advance(timedelta(hours=7).total_seconds())
        assert await listed(client) == []
        assert (await client.get(f"/cap/{released.identifier}.xml")).status == 200

    async def test_a_follower_takes_the_place_of_what_it_replaces(self, desk, publisher, client):
        first = await sent(desk)
        await publisher.publish_due()
        second = await follow(desk, await desk.update(first.id, "author"))
        assert await listed(client) == [first.identifier]
        await publisher.publish_due()
        assert await listed(client) == [second.identifier]
        assert (await client.get(f"/cap/{first.identifier}.xml")).status == 200
        cancel = await follow(desk, (await desk.show(second.id)).cancel)
        await publisher.publish_due()
        assert await listed(client) == [cancel.identifier]

    async def test_drills_are_not_in_it(self, desk, publisher, client):
        await sent(desk, mode="drill")
        await publisher.publish_due()
        assert await listed(client) == []

    async def test_pages_of_others_may_read_it(self, client):
        answer = await client.get("/cap/rss.xml")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Content-Type"] == "application/rss+xml; charset=utf-8"
