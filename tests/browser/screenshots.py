"""Take the pictures of the README: ``make screenshots``. Everybody and every number in them is invented."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.conftest import CHROMIUM, DESKTOP, FLAGS, Demo, Seat, staying

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
PICTURES = {
    "watch-board": ("demo-author", "/"),
    "approve": ("demo-approver-1", "/alerts/{waits}"),
    "release": ("demo-author", "/releases/1"),
}
"""Name of the file -> who looks at what."""
SETTLE_MS = 9000
"""Until the receipts of the warning in force are in."""


async def take(demo: Demo) -> None:
    """Take every picture, in Chinese and light as the desk sees it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for number, (name, (login, path)) in enumerate(PICTURES.items()):
            context = await browser.new_context(viewport=DESKTOP, storage_state=demo.states.get(login))
            seat = Seat(demo, login, context, await context.new_page())
            if login not in demo.states:
                await seat.sign_in()
                demo.states[login] = await context.storage_state()
            await seat.go(path)
            await seat.page.wait_for_timeout(1500 if number else SETTLE_MS)
            await seat.page.screenshot(path=str(FOLDER / f"{name}.png"))
            await context.close()
        await browser.close()


def main() -> None:
    """Start a desk, take the pictures, end it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with staying(contacts=5000) as demo:
        asyncio.run(take(demo))


if __name__ == "__main__":
    main()
