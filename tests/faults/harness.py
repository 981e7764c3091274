"""A whole gateway to break: own servers, a provider's simulator, real workers and reconcilers.

Every process is started here and ended here, by its own number. Random choices come from a
seed that is printed; waits are for a state, with deadlines that only a hang can miss.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

import asyncpg

from gateway.coverage import coverage
from gateway.ops.gateway import environment
from gateway.ops.postgres import EmbeddedPostgres
from gateway.store.database import AWAY, Database
from tests.faults import village
from tests.faults.checker import Case, Violation, check
from tests.faults.evidence import Acknowledged, Evidence, read_head, read_ledger, read_logs, read_tables
from tests.redis_user import NarrowValkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from gateway.desk.leaving import Released
    from gateway.desk.service import Signed
    from tests.faults.evidence import Entry, Head, Row

ROOT = Path(__file__).resolve().parents[2]

LOOK_SECONDS = 0.1
DEADLINE_SECONDS = 100.0
LEASE_SECONDS = 3.0
SWEEP_SECONDS = 1.0
SIGNATURE = "示范"

UNSENT = "SELECT count(*) FROM deliveries WHERE state < 3"
TRIED = "SELECT count(*) FROM attempts"
UNFINISHED = (
    "SELECT (SELECT count(*) FROM deliveries WHERE state < 3)"
    " + (SELECT count(*) FROM batches WHERE state <> 'done')"
)
UNPROVEN = f"{UNFINISHED} + (SELECT count(*) FROM deliveries WHERE state = 5)"


class Servers:
    """A PostgreSQL and a Valkey that may be killed."""

    def __init__(self, folder: Path) -> None:
        self.postgres = EmbeddedPostgres(folder, durable=False)
        self.valkey = NarrowValkey(folder)

    def start(self) -> None:
        self.postgres.start()
        self.valkey.start()

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()


class Process:
    """A program of ours, and its log."""

    def __init__(self, name: str, arguments: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would; a process that has ended stays ended."""
        self._popen.kill()
        self._popen.wait()

    async def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self._popen.terminate()
        return await asyncio.to_thread(self._popen.wait, 60)


class Smsc:
    """The SMPP simulator in a process of its own."""

    def __init__(self, folder: Path, script: Mapping[str, Any]) -> None:
        self._dump = folder / "ledger.jsonl"
        self._told_kept = folder / "told_kept.json"
        settings = [
            word for name, value in script.items() for word in ("--set", f"{name}={json.dumps(value)}")
        ]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.evidence", "smpp", *settings],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.settings = self._hear()["settings"]

    async def say(self, command: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(self._say, command)

    async def change(self, **script: Any) -> None:
        answer = await self.say({"set": script})
        assert "set" in answer, answer

    async def stats(self) -> dict[str, int]:
        stats: dict[str, int] = (await self.say({"stats": True}))["stats"]
        return stats

    async def ledger(self) -> Path:
        await self.say({"dump": str(self._dump)})
        return self._dump

    async def told_kept(self) -> list[str]:
        """Return the references of the reports that were acknowledged, each as often as it was."""
        acknowledged = (await self.stats())["acknowledged"]
        await self.say({"call": ["write_told_kept", str(self._told_kept)]})
        refs: list[str] = json.loads(self._told_kept.read_text(encoding="utf-8"))
        assert len(refs) >= acknowledged
        return refs

    def close(self) -> None:
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def _say(self, command: dict[str, Any]) -> dict[str, Any]:
        stdin: IO[str] | None = self._popen.stdin
        assert stdin is not None
        stdin.write(json.dumps(command) + "\n")
        stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        assert line, "the simulator ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


class Verdict(NamedTuple):
    """What one test showed."""

    case: Case
    violations: list[Violation]
    copies: Counter[int]
    """How many deliveries were received so many times."""

    @property
    def states(self) -> Counter[int]:
        return Counter(row["state"] for row in self.case.deliveries.values())

    @property
    def ambiguous(self) -> int:
        """Attempts whose answer was lost."""
        return sum(len(self.case.ambiguous(delivery)) for delivery in self.case.deliveries)


class House:
    """One gateway: a database of its own, a provider, and the processes that a test starts."""

    def __init__(
        self, servers: Servers, url: str, folder: Path, seed: int, tell: Callable[[str], None]
    ) -> None:
        self.servers, self.url, self.folder, self.seed, self.tell = servers, url, folder, seed, tell
        self.chance = random.Random(seed)
        self.people = 0
        self.given: dict[str, Any] = {}
        self.acknowledged: set[tuple[str, str, Any]] = set()
        self.heads: set[Head] = set()
        self._under_way = 0
        self._interruptions: list[datetime] = []
        self._processes: list[Process] = []
        self._born = time.monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        if hasattr(self, "smsc"):
            self.smsc.close()

    async def open(
        self, people: int, *, responsible: int = 0, route: Mapping[str, Any], **script: Any
    ) -> None:
        """Settle people and open a provider with a script; ``route`` is our contract with it."""
        self.people, self._under_way = people, 2 * route["window"]
        self.smsc = await asyncio.to_thread(Smsc, self.folder, {"seed": self.seed, **script})
        self.given = {
            "state_dir": str(self.folder),
            "database_url": self.url,
            "redis_url": self.servers.valkey.narrow_url,
            "channels": {"sms": {"kind": "smpp", "live": self.smsc.settings | route}},
            "desk": {"signature": SIGNATURE},
            "dispatch": {"lease_seconds": LEASE_SECONDS, "reconcile_seconds": SWEEP_SECONDS},
            "log": {"level": "warning", "format": "json"},
        }
        async with Database(self.url, size=1) as database:
            await village.settle(database, people, responsible=responsible)

    async def release(self, level: str, *, valid: float = 3600.0) -> Released:
        """Let three people at the desk send a warning to everybody."""
        async with Database(self.url, size=2) as database:
            desk = await village.open_desk(database, self.given)
            released = await village.release(desk, level, valid=valid)
        assert released.deliveries == {"sms": self.people}
        self.acknowledged.add(("releases", "reference", released.reference))
        return released

    async def take_back(self) -> Signed:
        """Let two people at the desk cancel the warning that was released first."""
        alert = await self.number("SELECT alert_id FROM releases ORDER BY id LIMIT 1")
        assert alert is not None
        async with Database(self.url, size=2) as database:
            desk = await village.open_desk(database, self.given)
            prepared = await desk.cancel(alert, village.PEOPLE[2].login)
            return await desk.approve(prepared.id, str(prepared.digest), village.PEOPLE[1].login)

    def interrupted(self) -> None:
        """Note that sending has to come back from here; the verdict tells how long that took."""
        self._interruptions.append(datetime.now(UTC))

    def worker(self) -> Process:
        return self._start("worker", "worker", "sms.urgent")

    def normal_worker(self) -> Process:
        return self._start("worker", "worker", "sms.normal")

    def reconciler(self) -> Process:
        return self._start("reconcile", "reconcile")

    def _start(self, name: str, *arguments: str) -> Process:
        log = self.folder / f"{len(self._processes):03d}-{name}.log"
        process = Process(name, ["gateway.cli", *arguments], environment(self.given), log)
        self._processes.append(process)
        return process

    async def number(self, query: str) -> int | None:
        """Return what a query counts, or None while the database is away; note the audit chain's head."""
        try:
            connection = await asyncpg.connect(self.url, timeout=5)
            try:
                if head := await read_head(connection):
                    self.heads.add(head)
                return int(await connection.fetchval(query))
            finally:
                await connection.close(timeout=5)
        except AWAY:
            return None

    async def until(self, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a state; a deadline that is missed shows the last lines of every log."""
        began = time.monotonic()
        while not await condition():
            if time.monotonic() - began > DEADLINE_SECONDS:
                raise AssertionError(f"{what}: not within {DEADLINE_SECONDS:g} s\n{self.last_words()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def until_none(self, query: str) -> None:
        """Wait until a query counts nothing."""

        async def none() -> bool:
            return await self.number(query) == 0

        await self.until(query, none)

    async def until_some(self, query: str) -> None:
        """Wait until a query counts anything."""

        async def some() -> bool:
            return bool(await self.number(query))

        await self.until(query, some)

    async def until_quiet(self, query: str, looks: int = 20) -> None:
        """Wait until a count has stayed the same for so many looks."""
        seen: list[int | None] = []

        async def quiet() -> bool:
            seen.append(await self.number(query))
            return len(seen) >= looks and len(set(seen[-looks:])) == 1

        await self.until(f"an end of {query}", quiet)

    async def until_logged(self, process: Process, event: str) -> None:
        """Wait until a process has logged an event."""

        async def logged() -> bool:
            return any(row.get("event") == event for row in read_logs([process.log]))

        await self.until(f"{event!r} in {process.log.name}", logged)

    async def until_tried(self, count: int) -> None:
        """Wait until so many attempts are recorded."""

        async def enough() -> bool:
            return (await self.number(TRIED) or 0) >= count

        await self.until(f"{count} attempts", enough)

    async def until_received(self, count: int) -> None:
        """Wait until the provider has taken so many messages."""

        async def enough() -> bool:
            return (await self.smsc.stats())["ledger"] >= count

        await self.until(f"{count} messages", enough)

    def last_words(self) -> str:
        lines = []
        for process in self._processes[-6:]:
            words = process.log.read_text(encoding="utf-8", errors="replace").splitlines()[-6:]
            lines += [f"{process.log.name}: {line[:300]}" for line in words]
        return "\n".join(lines)

    async def verdict(self, test: str, *, over: bool = True) -> Verdict:
        """Let the checker look at everything, and tell the result in one line."""
        evidence = await self._evidence()
        violations = check(evidence, over=over)
        case = Case(evidence)
        copies = Counter(len(case.received.get(delivery, ())) for delivery in case.deliveries)
        verdict = Verdict(case, violations, copies)
        lost = len({one.subject for one in violations if one.invariant in {"I1", "I2"}})
        again = max(self._recoveries(evidence.ledger), default=None)
        self.tell(
            f"{test}: seed {self.seed}, N {len(case.deliveries)}, lost {lost}, "
            f"max copies {max(copies, default=0)}, ambiguous {verdict.ambiguous}, "
            f"violations {len(violations)}, {time.monotonic() - self._born:.0f} s"
            + (f", sending again after {again:.1f} s" if again is not None else "")
        )
        return verdict

    async def _evidence(self) -> Evidence:
        """Gather everything; what was acknowledged first, so that it must be in the tables."""
        told_kept = await self.smsc.told_kept()
        tables = await read_tables(self.url)
        return Evidence(
            tables=tables,
            ledger=read_ledger("sms", await self.smsc.ledger()),
            logs=read_logs(process.log for process in self._processes),
            acknowledged=Acknowledged({"sms": told_kept}, frozenset(self.acknowledged)),
            heads=frozenset(self.heads),
            reports=await self._reports(row["reference"] for row in tables["releases"]),
            read_at=datetime.now(UTC),
        )

    async def _reports(self, releases: Iterable[str]) -> list[Row]:
        """Return what ``tongda coverage RELEASE --json`` prints."""
        async with Database(self.url, size=1) as database:
            return [json.loads((await coverage(database, one)).model_dump_json()) for one in releases]

    def _recoveries(self, ledger: list[Entry]) -> list[float]:
        """Return the seconds from each interruption until more came than can have been under way."""
        found = []
        for since, until in pairwise([*self._interruptions, datetime.max.replace(tzinfo=UTC)]):
            after = sorted(entry.at for entry in ledger if since < entry.at < until)
            if len(after) > self._under_way:
                found.append((after[self._under_way] - since).total_seconds())
        return found
