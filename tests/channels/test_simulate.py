from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from channels import base, simulate
from channels.smpp import SmppChannel, SmppSettings
from channels.smpp.simulator import SmppSimulator
from tests.channels.contract import DEADLINE, TEXT, Book, Inbox, content


@pytest.fixture
async def start():
    running = []

    async def start(*arguments):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "channels.simulate",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process):
    async with asyncio.timeout(DEADLINE):
        return json.loads(await process.stdout.readline())


async def ask(process, command):
    process.stdin.write(json.dumps(command).encode() + b"\n")
    await process.stdin.drain()
    return await line(process)


class TestProcess:
    async def test_it_plays_a_provider_and_keeps_the_ledger(self, start, tmp_path):
        process = await start("smpp", "--set", "reject_share=0.0", "--ledger", str(tmp_path / "end.jsonl"))
        settings = (await line(process))["settings"]
        channel, book = SmppChannel(SmppSettings(**settings), Inbox()), Book()
        await channel.open()
        message = base.Message(7, "8619900000007")
        await channel.send(channel.prepare(content()), [message], book)
        assert await ask(process, {"set": {"reject": 11}}) == {"set": ["reject"]}
        await channel.send(channel.prepare(content()), [message._replace(delivery=8)], book)
        await channel.close()
        assert [type(outcome).__name__ for outcome in book.once().values()] == ["Accepted", "Rejected"]
        stats = (await ask(process, {"stats": True}))["stats"]
        assert (stats["ledger"], stats["submitted"], stats["refused"]) == (1, 2, 1)
        assert await ask(process, {"dump": str(tmp_path / "now.jsonl")}) == {"dumped": 1}
        process.stdin.close()
        async with asyncio.timeout(DEADLINE):
            assert await process.wait() == 0
        for name in ("now.jsonl", "end.jsonl"):
            (entry,) = map(json.loads, (tmp_path / name).read_text(encoding="utf-8").splitlines())
            assert (entry["address"], entry["text"]) == ("8619900000007", TEXT)

    @pytest.mark.parametrize("kind", base.KINDS)
    async def test_every_kind_of_provider_ends_with_sigterm(self, start, kind):
        pytest.importorskip(f"channels.{kind}.simulator")
        process = await start(kind)
        assert isinstance((await line(process))["settings"], dict)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE):
            _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        assert b"Traceback" not in errors

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["pigeon"], b"invalid choice"),
            (["smpp", "--set", "speed=3"], b"no script attribute 'speed'"),
            (["smpp", "--set", "latency=fast"], b"this is no JSON"),
        ],
        ids=str,
    )
    async def test_a_wrong_command_line_is_told_without_a_traceback(self, start, arguments, told):
        process = await start(*arguments)
        async with asyncio.timeout(DEADLINE):
            _, errors = await process.communicate()
        assert process.returncode == 2
        assert told in errors
        assert b"Traceback" not in errors


class TestCommands:
    @pytest.mark.parametrize(
        "command",
        [{}, [], "stats", {"set": 3}, {"dump": 3}, {"call": ["_write"]}, {"call": ["fly"]}],
        ids=str,
    )
    async def test_an_unknown_one_is_refused(self, command):
        with pytest.raises(simulate.BadCommand):
            await simulate.obey(SmppSimulator(), command)

    @pytest.mark.parametrize("name", ["speed", "_server", "start", "ledger", "__class__"])
    async def test_only_the_script_can_be_changed(self, name):
        with pytest.raises(simulate.BadCommand, match=name):
            await simulate.obey(SmppSimulator(), {"set": {name: 1}})

    async def test_one_wrong_name_changes_nothing(self):
        simulator = SmppSimulator()
        with pytest.raises(simulate.BadCommand):
            simulate.change(simulator, {"latency": 1.0, "speed": 3})
        assert simulator.latency == 0.0

    async def test_methods_can_be_called(self):
        simulator = SmppSimulator()
        assert await simulate.obey(simulator, {"call": ["reply", "8619900000001", "1"]}) == {
            "called": "reply"
        }
        assert len(simulator.backlog) == 1
