"""Debian's Chromium at the demo's desk: every process runs, and people sign in as people do."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
STEP = 30
"""Seconds that one code of the second factor holds."""

PATIENCE = 30_000
"""Milliseconds that a page may take on a machine that does other things as well."""

DESKTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))
            if CHROMIUM is None:
                item.add_marker(
                    pytest.mark.skip(
                        reason="NO CHROMIUM: no page is tested in a browser; apt-get install chromium"
                    )
                )


class Demo:
    """A desk that is up, and how its people sign in."""

    def __init__(self, url: str, users: dict[str, dict[str, str]], waits: int) -> None:
        self.url = url
        self.waits = waits
        """Number of the alert that waits for its approvers."""
        self.users = users
        self.states: dict[str, Any] = {}
        self.pages: dict[str | None, dict[str, str]] = {}
        """Login -> route -> one path of it; see :mod:`tests.browser.crawl`."""
        self._used: dict[str, int] = {}

    async def code(self, login: str) -> str:
        """A code that was not used yet; waits for one where the last was used a moment ago."""
        totp = pyotp.TOTP(self.users[login]["totp_key"])
        while (now := int(time.time()) // STEP) <= self._used.get(login, 0):  # noqa: ASYNC110 - the wall clock
            await asyncio.sleep(0.5)
        self._used[login] = now
        return totp.at(now * STEP)


@pytest.fixture(scope="package")
def demo() -> Iterator[Demo]:
    """`tongda demo --stay`, started once."""
    with staying(contacts=400) as up:
        yield up


@contextmanager
def staying(contacts: int) -> Iterator[Demo]:
    """Start a desk, and end it with every process of it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder, ExitStack() as stack:
        Path(folder).chmod(0o711)
        file = Path(folder) / "users.json"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGDA_")}
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gateway.cli",
                "demo",
                "--stay",
                "--port",
                "0",
                "--contacts",
                str(contacts),
                "--users",
                file,
            ],
            cwd=folder,
            env=ours | {"TMPDIR": folder, "PYTHONPATH": str(ROOT)},
            stdout=stack.enter_context((Path(folder) / "out.txt").open("wb")),
            stderr=subprocess.STDOUT,
        )
        try:
            _until_up(process, file, Path(folder) / "out.txt")
            told = json.loads(file.read_text(encoding="utf-8"))
            yield Demo(told["url"], told["users"], told["waits"])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _until_up(process: subprocess.Popen[bytes], file: Path, out: Path) -> None:
    for _ in range(600):
        if file.exists() and file.stat().st_size:
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise AssertionError(
        f"the desk did not come up: {out.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    )


class Seat:
    """One person's browser."""

    def __init__(self, demo: Demo, login: str | None, context: BrowserContext, page: Page) -> None:
        self.demo, self.login, self.context, self.page = demo, login, context, page
        self.faults: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _hear(self, said: ConsoleMessage) -> None:
        # The browser's own word for a form that was refused, which the page shows.
        if said.type == "error" and "status of 422" not in said.text:
            self.faults.append(f"{said.text} at {said.location} on {self.page.url}")

    async def go(self, path: str) -> None:
        """Open a page of the console."""
        path = path.format(waits=self.demo.waits)
        await self.page.goto(self.demo.url.rstrip("/") + path, wait_until="load")

    async def sign_in(self) -> None:
        """Fill in the form as a person does."""
        assert self.login is not None
        await self.go("/sign-in")
        await self.page.fill("input[name=login]", self.login)
        await self.page.fill("input[name=password]", self.demo.users[self.login]["password"])
        await self.page.fill("input[name=code]", await self.demo.code(self.login))
        await self.page.click(
            "form[action*='sign-in'] button[type=submit], form[action*='sign-in'] button:not([type])"
        )
        await self.page.wait_for_url(lambda url: "/sign-in" not in url)

    async def press(self, button: str | Locator) -> None:
        """Press a button, and wait for the page that answers."""
        found = self.page.locator(button).first if isinstance(button, str) else button
        async with self.page.expect_navigation(timeout=PATIENCE):
            await found.click()

    async def text(self) -> str:
        """What the page says."""
        return await self.page.inner_text("body")

    async def sideways(self) -> bool:
        """Whether one must scroll sideways."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"))


@pytest.fixture
async def seat(demo: Demo) -> AsyncIterator[Any]:
    """Gives the browser of a person who is signed in; at the end no page had an error or broke the CSP."""
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.push_async_callback(browser.close)
        seats: list[Seat] = []

        async def take(
            login: str | None,
            *,
            language: str = "zh-CN",
            scheme: str = "light",
            size: dict = DESKTOP,
            **more: Any,
        ) -> Seat:
            state = demo.states.get(login)
            context = await browser.new_context(
                viewport=size, color_scheme=scheme, storage_state=state, accept_downloads=True, **more
            )
            await context.add_cookies([{"name": "tongda_language", "value": language, "url": demo.url}])
            one = Seat(demo, login, context, await context.new_page())
            seats.append(one)
            if login is not None and state is None:
                await one.sign_in()
                demo.states[login] = await context.storage_state()
            return one

        yield take
        faults = [fault for one in seats for fault in one.faults]
    assert faults == []
