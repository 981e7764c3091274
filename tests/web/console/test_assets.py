"""Style sheets, scripts, fonts and images: served for ever under their hash, and nothing else is."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from gateway.share import share
from gateway.web.console.assets import address

KINDS = {
    "console/assets/console.css": "text/css",
    "console/assets/map.js": "text/javascript",
    "console/assets/chart.js": "text/javascript",
    "console/assets/icon.svg": "image/svg+xml",
    "vendor/htmx/htmx.min.js": "text/javascript",
    "vendor/leaflet/leaflet.css": "text/css",
    "vendor/leaflet/images/layers.png": "image/png",
    "vendor/leaflet-geoman/leaflet-geoman.min.js": "text/javascript",
    "vendor/noto-sans-sc/index.css": "text/css",
}


class TestServing:
    @pytest.mark.parametrize("name", KINDS)
    async def test_a_stranger_gets_each_with_its_type_and_may_keep_it(self, visitor, name):
        browser = await visitor(None)
        async with browser.session.get(browser.origin + address(name)) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].partition(";")[0] == KINDS[name]
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

    async def test_a_font_is_found_beside_its_style_sheet(self, visitor):
        sheet = address("vendor/noto-sans-sc/index.css")
        text = share("templates/web/vendor/noto-sans-sc/index.css").read_text(encoding="utf-8")
        font = re.search(r"url\(\./(files/[^)]+\.woff2)\)", text)[1]
        browser = await visitor(None)
        async with browser.session.get(f"{browser.origin}{sheet.removesuffix('index.css')}{font}") as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, "font/woff2")
            assert (await answer.read()).startswith(b"wOF2")

    async def test_the_chart_library_comes_packed(self, visitor):
        browser = await visitor(None)
        url = browser.origin + address("vendor/echarts/echarts.min.js")
        async with browser.session.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["Content-Type"] == "text/javascript"
            assert int(answer.headers["Content-Length"]) < 250_000
            assert (await answer.read()).endswith(b"\n")

    @pytest.mark.parametrize("name", [name for name in KINDS if name.endswith((".css", ".js"))])
    async def test_sheets_and_scripts_come_packed_to_who_takes_it(self, visitor, name):
        browser, whole = await visitor(None), share(f"templates/web/{name}").read_bytes()
        for asked, packed in (("gzip, br", "gzip"), ("identity", None)):
            async with browser.session.get(
                browser.origin + address(name), headers={"Accept-Encoding": asked}
            ) as answer:
                assert answer.headers.get("Content-Encoding") == packed
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert await answer.read() == whole  # the client has unpacked it

    @pytest.mark.parametrize(
        "path",
        [
            "vendor/../console/base.html",
            "vendor/%2e%2e/console/base.html",
            "console/base.html",
            "locale/zh_CN/frame.po",
            "vendor/htmx/../../../../pyproject.toml",
            "..%2f..%2f..%2fpyproject.toml",
            "/etc/passwd",
            "vendor/htmx",
            "vendor/htmx/htmx.min.js%00.css",
            "VENDOR/htmx/htmx.min.js",
        ],
    )
    async def test_nothing_outside_of_the_folders_is_there(self, visitor, path):
        browser = await visitor(None)
        from yarl import URL

        url = URL(f"{browser.origin}/desk/assets/0123456789ab/{path}", encoded=True)
        async with browser.session.get(url, allow_redirects=False) as answer:
            assert answer.status == 404
            assert "<nav" not in await answer.text()

    async def test_an_address_changes_with_the_bytes(self):
        lock = json.loads(share("templates/web/vendor/htmx/lock.json").read_bytes())
        assert "htmx.min.js" in lock["files"]
        assert address("vendor/htmx/htmx.min.js") != address("vendor/leaflet/leaflet.js")
        with pytest.raises(KeyError):
            address("vendor/htmx/none.js")


class TestNothingIsFetchedElsewhere:
    @pytest.mark.parametrize(
        "path", sorted(share("templates/web/console/assets").glob("*.*s*")), ids=lambda path: path.name
    )
    def test_no_page_script_or_sheet_names_another_host(self, path):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|//[a-z0-9-]+\.[a-z]", text)

    def test_the_packed_library_holds_no_markup_of_its_own(self):
        packed = share("templates/web/vendor/echarts/echarts.min.js.gz").read_bytes()
        assert b"eval(" not in gzip.decompress(packed)
