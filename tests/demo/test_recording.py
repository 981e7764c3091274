"""A recorded feed is played as if it were live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from gateway.demo.recording import AGE, RecordingRefused, load, playing
from gateway.feeds.adapters import adapter
from gateway.feeds.document import Document
from gateway.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


def read(recording, name, kind):
    return adapter(kind).read(Document(recording.moved(NOW)[name], "http://127.0.0.1/"))


class TestMoved:
    def test_the_newest_message_was_sent_a_moment_ago_and_the_others_as_long_before_it_as_they_were(self):
        recording = load(ROOT / "config/demo/feed")
        assert (recording.kind, recording.first) == ("atom", "index.xml")
        newest = read(recording, "orange_update.xml", "cap").items[0].alert
        oldest = read(recording, "yellow_alert.xml", "cap").items[0].alert
        assert newest.sent == NOW - AGE
        assert newest.sent - oldest.sent == timedelta(minutes=30)
        assert newest.references[0].key == oldest.key
        assert newest.expires - newest.sent == timedelta(hours=6)

    def test_the_times_of_earthquakes_are_moved_too(self):
        recording = load(ROOT / "config/demo/quake.geojson")
        quake = read(recording, "quake.geojson", "usgs").solutions[0]
        assert quake.updated == NOW - AGE
        assert quake.updated - quake.time == timedelta(minutes=2)

    def test_every_feed_of_the_corpus_can_be_loaded_and_moved(self, corpus):
        loaded = 0
        for path in sorted(corpus.rglob("*.*")):
            try:
                recording = load(path)
            except RecordingRefused:
                continue
            moved = recording.moved(NOW)
            assert len(moved[recording.first]) > 0
            loaded += 1
        assert loaded > 100


class TestPlayed:
    async def test_it_is_served_on_loopback_with_the_settings_of_a_source_that_reads_it(self):
        recording = load(ROOT / "config/demo/feed")
        async with playing(recording, NOW) as source, aiohttp.ClientSession() as session:
            assert load_settings(sources={"played": source}).sources["played"].adapter.kind == "atom"
            async with session.get(source["url"]) as answer:
                assert await answer.read() == recording.moved(NOW)["index.xml"]
            async with session.get(source["url"].replace("index.xml", "nothing.xml")) as answer:
                assert answer.status == 404

    @pytest.mark.parametrize("name", ["none.xml", "README.md"])
    def test_what_is_no_feed_is_refused(self, name):
        with pytest.raises(RecordingRefused):
            load(ROOT / name)
