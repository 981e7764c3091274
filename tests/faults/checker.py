"""An independent judge of what the gateway did.

It knows the promises and the tables, and nothing of how the gateway keeps them: it imports
nothing of ours. From the dump of the database it works out what every state should be; from
the providers' ledgers it takes what people truly got. Invariants by number:

I1 each target and channel has one delivery, settled in the end; I2 none is lost; I3 nobody gets
more copies than lost answers explain, nor more than two; I4 what was received was approved by
enough others than its authors, as signed; I5 word for word; I6 the audit chain holds and tells
every step; I7 each state is the highest fact of the ledger; I8 nothing leaves for the first time
after expiry, or two seconds after a stop; I9 counters equal rows; I11 a lost lease is told in the
log; I13 what was acknowledged is there.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import Counter, defaultdict
from datetime import UTC, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.faults.evidence import Entry, Evidence, Row

PLANNED, SUBMITTING, UNKNOWN, SUPPRESSED, ACCEPTED, EXPIRED, REJECTED = 0, 2, 3, 4, 5, 6, 7
DELIVERED, CONFIRMED = 8, 10
COPIES = 2
LATE = timedelta(seconds=2)
ALARMING_CRASHES = 3
HOLE = "\ufffc"
LINK = r"https?://[^\s/]+/c/([0-9A-Za-z]+)"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MAC_BITS = 80
POLICY = Path(__file__).resolve().parents[2] / "config" / "approval.toml"


class Violation(NamedTuple):
    """One broken promise."""

    invariant: str
    subject: str
    what: str


class Case:
    """The evidence, with everything found by its number."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.tables = tables = evidence.tables
        self.releases = {row["id"]: row for row in tables["releases"]}
        self.alerts = {row["id"]: row for row in tables["alerts"]}
        self.deliveries = {row["id"]: row for row in tables["deliveries"]}
        self.attempts = grouped(tables["attempts"], "delivery_id")
        self.receipts = grouped(tables["receipts"], "delivery_id")
        self.strange: list[Violation] = []

    @cached_property
    def received(self) -> dict[int, list[Entry]]:
        """Ledger entries by delivery; what belongs to none is noted in ``strange``."""
        by_address = defaultdict(list)
        for row in self.deliveries.values():
            by_address[row["channel"], row["address"]].append(row)
        found: dict[int, list[Entry]] = defaultdict(list)
        for entry in self.evidence.ledger:
            candidates = by_address.get((entry.channel, entry.address), [])
            fitting = [row for row in candidates if self._says(row, entry.text)]
            if fitting:
                bearing = [row for row in fitting if entry.ref in self.refs(row["id"])]
                found[(bearing or fitting)[0]["id"]].append(entry)
            elif candidates:
                ids = ", ".join(str(row["id"]) for row in candidates)
                self.strange.append(
                    Violation("I5", f"delivery {ids}", f"another text was received: {entry.text!r}")
                )
            else:
                self.strange.append(
                    Violation("I4", f"ledger {entry.ref}", "reached somebody no release names")
                )
        return found

    def refs(self, delivery: int) -> set[str]:
        return {row["ref"] for row in self.attempts[delivery]}

    def ambiguous(self, delivery: int) -> set[int]:
        """Tries whose answer was lost."""
        return {row["try"] for row in self.attempts[delivery] if row["outcome"] == "unknown"}

    def _says(self, delivery: Row, text: str) -> bool:
        content = self.releases[delivery["release_id"]]["texts"][delivery["channel"]][delivery["text_key"]]
        before, hole, after = content["text"].partition(HOLE)
        match = re.fullmatch(re.escape(before) + (LINK if hole else "()") + re.escape(after), text)
        return match is not None and (not hole or owner(match[1]) == delivery["id"])


def check(evidence: Evidence, *, over: bool = True) -> list[Violation]:
    """Return every violation; ``over`` says that all that was released should be settled."""
    case = Case(evidence)
    rules = (
        conservation, loss, copies, approval, chain, states, foreign_receipts, time_limits,
        counters, alarms, acknowledgements,
    )  # fmt: skip
    found = [violation for rule in rules for violation in rule(case)]
    if over:
        found += unsettled(case)
    return sorted({*found, *case.strange})


def grouped(rows: list[Row], name: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[name]].append(row)
    return groups


def owner(token: str) -> int:
    """Return the delivery whose confirm link has this token."""
    number = 0
    for digit in token:
        number = number * len(DIGITS) + DIGITS.index(digit)
    return number >> MAC_BITS


# I1 ------------------------------------------------------------------------------------------


def conservation(case: Case) -> Iterator[Violation]:
    targets = grouped(case.tables["targets"], "list_id")
    planned = Counter(
        (row["release_id"], row["target_id"], row["channel"], row["address"])
        for row in case.deliveries.values()
    )
    due: Counter[tuple[Any, ...]] = Counter()
    for release in case.releases.values():
        channels = (case.alerts[release["alert_id"]]["plan"] or {})["channels"]
        for target in targets[release["target_list_id"]]:
            for channel in set(channels) & target["addresses"].keys():
                due[release["id"], target["id"], channel, target["addresses"][channel]] += 1
    for key in sorted(due.keys() | planned.keys()):
        if due[key] != planned[key]:
            release, target, channel, _ = key
            what = f"{due[key]} deliveries are due on {channel}, {planned[key]} are there"
            yield Violation("I1", f"release {release} target {target}", what)
    batches = {row["id"]: row for row in case.tables["batches"]}
    for row in case.deliveries.values():
        batch = batches.get(row["batch_id"])
        if batch is None or (batch["release_id"], batch["channel"]) != (row["release_id"], row["channel"]):
            yield Violation("I1", f"delivery {row['id']}", "lies in no batch of its release and channel")
        closed = case.releases.get(row["release_id"], {}).get("state") == "closed"
        if closed and row["state"] <= SUBMITTING:
            yield Violation("I1", f"delivery {row['id']}", f"is in state {row['state']} after the closing")


def unsettled(case: Case) -> Iterator[Violation]:
    for row in case.deliveries.values():
        if row["state"] <= SUBMITTING:
            yield Violation("I1", f"delivery {row['id']}", f"is in state {row['state']} in the end")


# I2, I3, I5 ----------------------------------------------------------------------------------


def loss(case: Case) -> Iterator[Violation]:
    for row in case.deliveries.values():
        state, name = row["state"], f"delivery {row['id']}"
        if case.received.get(row["id"]) or state <= SUBMITTING or state == SUPPRESSED:
            continue
        outcomes = {attempt["outcome"] for attempt in case.attempts[row["id"]]}
        if state == UNKNOWN:
            release = case.releases[row["release_id"]]
            twice = release["resend_unknown"] and not (expired(case, release) or stopped(case, release))
            tried = len(case.ambiguous(row["id"])) >= (COPIES if twice else 1)
            if not tried and "rejected" not in outcomes:
                yield Violation("I2", name, "nobody received it, and it was not sent as often as it should")
        elif state == REJECTED:
            if "rejected" not in outcomes:
                yield Violation("I2", name, "nobody received it, and nobody refused it")
        elif state != EXPIRED or outcomes & {"accepted", "unknown"}:
            yield Violation("I2", name, f"is in state {state} and nobody received it")


def copies(case: Case) -> Iterator[Violation]:
    for row in case.deliveries.values():
        got, lost = len(case.received.get(row["id"], ())), len(case.ambiguous(row["id"]))
        if got > min(COPIES, 1 + lost):
            what = f"{got} copies were received, {lost} answers were lost"
            yield Violation("I3", f"delivery {row['id']}", what)
        if row["copies"] > COPIES:
            yield Violation("I3", f"delivery {row['id']}", f"counts {row['copies']} copies")


# I4 ------------------------------------------------------------------------------------------


def approval(case: Case) -> Iterator[Violation]:
    policy = tomllib.loads(POLICY.read_text(encoding="utf-8"))
    used = {case.deliveries[delivery]["release_id"] for delivery in case.received}
    for number in sorted(used):
        release = case.releases[number]
        for what in _unapproved(case, release, case.alerts[release["alert_id"]], policy):
            yield Violation("I4", f"release {number}", what)


def _unapproved(case: Case, release: Row, alert: Row, policy: dict[str, Any]) -> Iterator[str]:
    lists = {row["id"]: row for row in case.tables["target_lists"]}
    sealed = lists[alert["target_list_id"]]
    digest = signed_digest(alert, sealed)
    if {release["digest"], alert["digest"]} != {digest}:
        yield "its digest is not that of what the alert holds"
    for name in ("texts", "target_list_id", "expires", "mode"):
        if release[name] != alert[name]:
            yield f"its {name} are not the alert's"
    if sealed["digest"] != target_digest(case.tables["targets"], sealed["id"]):
        yield "its targets are not those that were sealed"
    authors = {alert["author"], *alert["plan"].get("authors", ())}
    able = {row["login"] for row in case.tables["people"] if "approver" in row["roles"]}
    signed = {
        row["person"]
        for row in case.tables["approvals"]
        if (row["alert_id"], row["digest"], row["decision"]) == (alert["id"], digest, "approve")
        and row["at"] <= release["released_at"]
    }
    if signed & authors:
        yield f"{', '.join(sorted(signed & authors))} approved an own alert"
    needed = approvers(alert, sealed["count"], policy)
    if len((signed & able) - authors) < needed:
        yield f"{len((signed & able) - authors)} others approved it, {needed} are needed"


def approvers(alert: Row, count: int, policy: dict[str, Any]) -> int:
    if alert["msg_type"] == "Cancel":
        return int(policy["cancel"]["approvers"])
    further: int = sum(limit["further"] for limit in policy["crowd"] if count > limit["above"])
    return int(policy["approvers"][alert["level"]]) + further


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def signed_digest(alert: Row, sealed: Row) -> str:
    names = ("content", "texts", "plan", "mode", "level")
    signed = {name: alert[name] for name in names} | {
        "targets": sealed["digest"],
        "count": sealed["count"],
        "expires": stamp(alert["expires"]),
    }
    return hashlib.sha256(canonical(signed)).hexdigest()


def target_digest(targets: list[Row], list_id: int) -> str:
    rows = sorted((row for row in targets if row["list_id"] == list_id), key=lambda row: row["contact_id"])
    lines = ("\t".join(map(str, [*_person(row), jsonb(row["addresses"])])) for row in rows)
    return hashlib.sha256(b"".join(hashlib.sha256(line.encode()).digest() for line in lines)).hexdigest()


def _person(row: Row) -> list[Any]:
    return [row[name] for name in ("contact_id", "region", "role", "language")]


def jsonb(value: dict[str, str]) -> str:
    """Return an object of texts as PostgreSQL writes it: shorter keys first."""
    ordered = sorted(value.items(), key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
    return json.dumps(dict(ordered), ensure_ascii=False)


# I6 ------------------------------------------------------------------------------------------


def chain(case: Case) -> Iterator[Violation]:
    previous = "0" * 64
    records = sorted(case.tables["audit"], key=lambda row: row["seq"])
    for expected, row in enumerate(records, 1):
        at = row["at"].astimezone(UTC).isoformat()
        names = ("actor", "action", "subject", "detail", "previous")
        hashed = json.dumps(
            [row["seq"], at, *(row[name] for name in names)], separators=(",", ":"), ensure_ascii=False
        )
        if (row["seq"], row["previous"]) != (expected, previous):
            yield Violation("I6", f"audit {row['seq']}", f"does not follow record {expected - 1}")
        elif hashlib.sha256(hashed.encode()).hexdigest() != row["hash"]:
            yield Violation("I6", f"audit {row['seq']}", "was changed")
        previous = row["hash"]
    told = Counter((row["action"], row["subject"]) for row in records)
    done = Counter(("release", f"alert {row['alert_id']}") for row in case.releases.values())
    done.update((row["decision"], f"alert {row['alert_id']}") for row in case.tables["approvals"])
    for step, times in done.items():
        if told[step] != times:
            yield Violation("I6", step[1], f"{step[0]} happened {times} times and is told {told[step]} times")


# I7 ------------------------------------------------------------------------------------------


def states(case: Case) -> Iterator[Violation]:
    for row in case.deliveries.values():
        if row["state"] == SUBMITTING:
            continue
        possible = expected(case, row)
        name = f"delivery {row['id']}"
        if row["state"] not in possible:
            wanted = " or ".join(map(str, sorted(possible)))
            yield Violation("I7", name, f"is in state {row['state']}, its ledger says {wanted}")
        if (row["delivered_at"] is not None) != (row["state"] >= DELIVERED):
            yield Violation("I7", name, f"delivered_at does not fit state {row['state']}")
        if (row["confirmed_at"] is not None) != (row["state"] == CONFIRMED):
            yield Violation("I7", name, f"confirmed_at does not fit state {row['state']}")


def expected(case: Case, row: Row) -> set[int]:
    """Return the states that a delivery may have by its attempts and receipts."""
    attempts, lost = case.attempts[row["id"]], case.ambiguous(row["id"])
    resend = case.releases[row["release_id"]]["resend_unknown"]
    facts = [0]
    for attempt in attempts:
        if attempt["outcome"] == "accepted":
            facts.append(ACCEPTED)
        elif attempt["outcome"] == "rejected":
            facts.append(UNKNOWN if lost else REJECTED)
    if len(lost) >= (COPIES if resend else 1):
        facts.append(UNKNOWN)
    facts += proofs(attempts, case.receipts[row["id"]])
    if max(facts):
        return {max(facts)}
    release = case.releases[row["release_id"]]
    if lost:
        return {PLANNED, UNKNOWN}
    over = {EXPIRED} if expired(case, release) else set()
    return {PLANNED} | over | ({SUPPRESSED} if stopped(case, release) else set())


def expired(case: Case, release: Row) -> bool:
    return bool(release["expires"] <= case.evidence.read_at)


def stopped(case: Case, release: Row) -> bool:
    return case.alerts[release["alert_id"]]["state"] in {"cancelled", "updated"}


def proofs(attempts: list[Row], receipts: list[Row]) -> list[int]:
    """Return what receipts prove: a message of several parts is there when all parts of one try are."""
    parts = defaultdict(set)
    for attempt in attempts:
        if attempt["outcome"] == "accepted":
            parts[attempt["try"]].add(attempt["ref"])
    there = {row["ref"] for row in receipts if row["state"] >= DELIVERED and row["source"] == "provider"}
    whole = any(refs <= there for refs in parts.values())
    return [
        row["state"]
        for row in receipts
        if row["state"] < DELIVERED or row["source"] != "provider" or not row["ref"] or whole
    ]


def foreign_receipts(case: Case) -> Iterator[Violation]:
    """A receipt counts for the delivery whose message bore its reference, and for no other."""
    bearers = {
        (entry.channel, entry.ref): delivery
        for delivery, entries in case.received.items()
        for entry in entries
    }
    for row in case.tables["receipts"]:
        delivery = row["delivery_id"]
        if delivery is None or row["source"] != "provider" or not row["ref"]:
            continue
        name = f"delivery {delivery}"
        if row["ref"] not in case.refs(delivery):
            yield Violation("I7", name, f"counts the receipt {row['ref']}, which none of its attempts bears")
        elif bearers.get((row["channel"], row["ref"]), delivery) != delivery:
            yield Violation("I7", name, f"counts the receipt {row['ref']} of another delivery")


# I8, I9, I11, I13 ----------------------------------------------------------------------------


def time_limits(case: Case) -> Iterator[Violation]:
    stops = {
        row["subject"]: row["at"] for row in case.tables["audit"] if row["action"] in {"cancel", "update"}
    }
    for row in case.deliveries.values():
        release = case.releases[row["release_id"]]
        stop = stops.get(f"alert {release['alert_id']}")
        tried = [attempt["submitted_at"] for attempt in case.attempts[row["id"]]]
        got = [entry.at for entry in case.received.get(row["id"], ())]
        name = f"delivery {row['id']}"
        if tried and min(tried) > release["expires"]:
            yield Violation("I8", name, "was first tried after the expiry")
        if got and min(got) > release["expires"] + LATE:
            yield Violation("I8", name, "was first received after the expiry")
        if stop and got and min(got) > stop + LATE:
            yield Violation("I8", name, "was first received after its release was stopped")


def counters(case: Case) -> Iterator[Violation]:
    rows = Counter(
        (
            row["release_id"],
            row["channel"],
            row["region"],
            row["state"] if row["state"] >= UNKNOWN else PLANNED,
        )
        for row in case.deliveries.values()
    )
    kept: Counter[tuple[Any, ...]] = Counter()
    for row in case.tables["counters"]:
        kept[row["release_id"], row["channel"], row["region"], row["state"]] += row["count"]
    for key in sorted(rows.keys() | kept.keys()):
        if rows[key] != kept[key]:
            release, *rest = key
            yield Violation("I9", f"release {release}", f"{rest}: {kept[key]} counted, {rows[key]} there")


def alarms(case: Case) -> Iterator[Violation]:
    told = {row.get("batch") for row in case.evidence.logs if row.get("event") == "lease expired"}
    alarmed = {row.get("batch") for row in case.evidence.logs if row.get("alarm")}
    lost = {row["batch_id"] for row in case.tables["attempts"] if row["code"] == "lease lost"}
    for batch in sorted(lost - told):
        yield Violation("I11", f"batch {batch}", "lost its holder, and no line of the log says so")
    for row in case.tables["batches"]:
        if row["crashes"] >= ALARMING_CRASHES and row["id"] not in alarmed:
            yield Violation("I11", f"batch {row['id']}", f"crashed {row['crashes']} times without an alarm")


def acknowledgements(case: Case) -> Iterator[Violation]:
    for channel, count in case.evidence.acknowledged.receipts.items():
        kept = sum(
            row["channel"] == channel and row["source"] == "provider"
            for table in ("receipts", "parked_receipts")
            for row in case.tables[table]
        )
        if kept < count:
            yield Violation("I13", f"channel {channel}", f"{count} receipts acknowledged, {kept} kept")
    for table, column, value in sorted(case.evidence.acknowledged.rows, key=str):
        if not any(row[column] == value for row in case.tables[table]):
            yield Violation("I13", f"{table} {value}", "was acknowledged and is not there")
