"""The command ``tongda``. Only the group that is asked for is imported, so that help is quick."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    import typer

GROUPS = {
    "alert": "Look into CAP files.",
    "audience": "Regions, contacts, and whom an area reaches.",
    "desk": "Draft, submit, approve, release, update and cancel warnings.",
    "inbox": "What came in from sources, what waits for a person, and the alarms.",
    "account": "How people of the desk sign in: invitations and resets.",
    "audit": "The hash-chained log of every step.",
    "partner": "Keys of partner agencies.",
    "feed": "Look at what sources send, and how they are.",
    "bench": "Measure this machine.",
}
"""Groups of commands: ``app`` in ``gateway.commands.<name>``."""

COMMANDS = {
    "up": "Keep a whole gateway up on one box until stopped.",
    "demo": "Take one warning all the way through a synthetic county.",
    "coverage": "Say who was reached by a release.",
    "web": "Serve callbacks, confirm links, the partner API and health.",
    "worker": "Send the batches of one queue.",
    "reconcile": "Relay releases to the workers and keep their promises.",
    "feeds": "Read the sources; run several, and one of them reads.",
    "publish": "Give public releases out as signed CAP and to webhooks.",
    "migrate": "Bring the database to the schema of this version.",
}
"""Single commands: the function of that name in ``gateway.commands.<name>``."""


INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with its exit code.

    A mistyped command or option is one line and exit code 2.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    asked = arguments[0] if arguments else ""
    wanted = {asked} if asked in GROUPS or asked in COMMANDS else {*GROUPS, *COMMANDS}
    try:
        sys.exit(_run(wanted, arguments))
    except KeyboardInterrupt:  # while modules were still being read
        sys.exit(INTERRUPTED)


def _run(wanted: set[str], arguments: list[str]) -> int | None:
    import typer  # noqa: PLC0415 - inside main's guard: it is the slowest to read

    try:
        code: int | None = make_app(wanted)(arguments, prog_name="tongda", standalone_mode=False)
    except typer.TyperException as error:
        said = error.format_message()
        asked = getattr(getattr(error, "ctx", None), "command_path", "tongda")
        # A group without a command says its help, which is printed already or has several lines.
        if said:
            typer.echo(said if "\n" in said else f"tongda: {said} (see: {asked} --help)", err=True)
        return error.exit_code
    return code


def make_app(wanted: set[str]) -> typer.Typer:
    """Return the application with the groups and commands that are wanted."""
    import typer  # noqa: PLC0415 - see _run

    app = typer.Typer(
        help="Tongda: approve, send, and measure who was reached.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # Two entries at least, or typer would take a single command for the whole application.
    app.callback()(lambda: None)
    for name in [one for one in GROUPS if one in wanted]:
        app.add_typer(_load(name).app, name=name, help=GROUPS[name])
    for name in [one for one in COMMANDS if one in wanted]:
        app.command(name, help=COMMANDS[name])(getattr(_load(name), name))
    return app


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"gateway.commands.{name}")


if __name__ == "__main__":
    main()
