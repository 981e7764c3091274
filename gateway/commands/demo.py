"""``tongda demo``: one warning, all the way through a synthetic county."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.audience.area import AreaRefused
from gateway.audience.county import CODE
from gateway.commands.common import about, interruptible, refuse, told
from gateway.coverage import LANGUAGES
from gateway.demo.recording import RecordingRefused, load
from gateway.demo.stay import PORT, Stay
from gateway.demo.story import CapFile, Story, free_port
from gateway.desk.refused import DeskRefused
from gateway.ops.log import setup
from gateway.ops.places import temporary_state_dir
from gateway.ops.services import services
from gateway.settings import SettingsRefused
from gateway.share import share
from gateway.store.migrate import upgrade

DEFAULT = "config/demo/rainstorm_orange.xml"

Cap = Annotated[
    Path | None, typer.Option("--cap", metavar="FILE", help="A CAP file; the packaged one if absent.")
]
Area = Annotated[
    str | None,
    typer.Option(
        "--area", metavar="CODE", help="A region of the county instead of the file's area, e.g. 990101."
    ),
]


Feed = Annotated[
    Path | None,
    typer.Option("--feed", metavar="PATH", help="A recorded feed, file or folder, played as a live source."),
]
Lang = Annotated[str, typer.Option("--lang", help="Language of the report, zh or en.")]


StayUp = Annotated[
    bool, typer.Option("--stay", help="Keep the desk up with its console until Ctrl-C, for you to work at.")
]
Port = Annotated[int, typer.Option("--port", help="With --stay: the console's port; 0 takes a free one.")]
Users = Annotated[
    Path | None,
    typer.Option(
        "--users", metavar="FILE", help="With --stay: write who signs in how, as JSON, for scripts."
    ),
]
Contacts = Annotated[int, typer.Option("--contacts", min=100, help="With --stay: persons of the county.")]


def demo(
    cap: Cap = None,
    area: Area = None,
    lang: Lang = "zh",
    feed: Feed = None,
    stay: StayUp = False,
    port: Port = PORT,
    users: Users = None,
    contacts: Contacts = 20_000,
) -> None:
    """Draft, approve, release and measure one warning; nothing stays running, unless with --stay."""
    if stay:
        if cap or feed or area:
            refuse("--stay brings its own warnings: leave out --cap, --feed and --area")
        _stay(port, users, contacts)
        return
    if lang not in LANGUAGES:
        refuse(f"--lang {lang}: reports are written in {' and '.join(LANGUAGES)}")
    if cap is not None and feed is not None:
        refuse("--cap and --feed both bring a warning: give one of them")
    path = feed or cap or share(DEFAULT)
    setup("warning", "text")
    with interruptible() as interruption, told(AreaRefused, RecordingRefused):
        told_of = load(path) if feed else CapFile(path.name, _read(path))
        state_dir = temporary_state_dir()
        try:
            with services(state_dir, durable=False) as found:
                upgrade(found.database_url)
                story = Story(Console(), state_dir, found, Path.cwd(), lang)
                interruption.run(story.run(told_of, area))
        except DeskRefused as error:
            if error.code.startswith("area_") and area is None:
                typer.echo(
                    f"AREA=code lets the desk choose a region for it, for example AREA={CODE}.", err=True
                )
            refuse(about(path, error))
        finally:
            shutil.rmtree(state_dir, ignore_errors=True)


def _stay(port: int, users: Path | None, contacts: int) -> None:
    setup("error", "text")
    state_dir = temporary_state_dir()
    with interruptible() as interruption, told():
        try:
            with services(state_dir, durable=False) as found:
                upgrade(found.database_url)
                desk = Stay(Console(), state_dir, found, port or free_port())
                interruption.run(desk.run(contacts, users))
        finally:
            shutil.rmtree(state_dir, ignore_errors=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsRefused(f"{path}: {error.strerror}") from None
