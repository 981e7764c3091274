"""An independent judge of what the gateway did.

It knows the promises and the tables, and nothing of how the gateway keeps them: it imports
nothing of ours. From the dump of the database it works out what every state should be; from
the providers' ledgers it takes what people truly got. Invariants by number:

I1 each target and channel has one delivery, settled in the end; I2 none is lost; I3 nobody gets
more copies than recorded tries and lost answers explain, nor more than two; I4 what was received
was approved by enough others than its authors, as signed; I5 word for word; I6 the audit chain
holds, contains every head that was noted outside, and tells every step; I7 each state is the
highest fact of the ledger and none goes back; I8 nothing leaves for the first time after expiry,
or two seconds after a stop; I9 counters and coverage reports equal rows; I11 a lost lease is told
in the log; I13 each report that was acknowledged is there.
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
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from tests.faults.evidence import Entry, Evidence, Row

PLANNED, SUBMITTING, UNKNOWN, SUPPRESSED, ACCEPTED, EXPIRED, REJECTED = 0, 2, 3, 4, 5, 6, 7
DELIVERED, READ, CONFIRMED = 8, 9, 10
COPIES = 2
STOP_SECONDS = timedelta(seconds=2)
"""A stopped release may still leave for so long."""
CLOCKS = timedelta(seconds=0.2)
"""What the clocks of gateway and provider may be read apart, with the way between them."""
LEASE_LOST = "lease lost"
STOPS = {"stop", "cancel", "update"}
LEFT_DESK = {"released", "updated", "cancelled"}
ENDS = {"updated": "update", "cancelled": "cancel", "expired": "expire", "withdrawn": "withdraw"}
FOLLOWS = {"Update": "update", "Cancel": "cancel"}
COUNTED = {"draft", "prepare_cancel", "approve", "release", *ENDS.values()}
"""Steps of which the rows say how often each happened."""
ALARMING_CRASHES = 3
SIGNED = (
    "content", "texts", "plan", "mode", "level", "hazard", "msg_type", "warning_id", "supersedes",
)  # fmt: skip
"""Columns of an alert that an approval signs, besides the recipients and the end."""
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

    def outcomes(self, delivery: int) -> dict[int, set[str]]:
        """What became of each try; one that was given up and answered later has two outcomes."""
        found: dict[int, set[str]] = defaultdict(set)
        for row in self.attempts[delivery]:
            found[row["try"]].add(row["outcome"])
        return found

    def mode(self, delivery: int) -> str | None:
        """Whether a delivery is live or of a drill."""
        row = self.deliveries.get(delivery)
        return self.releases[row["release_id"]]["mode"] if row else None

    def _says(self, delivery: Row, text: str) -> bool:
        content = self.releases[delivery["release_id"]]["texts"][delivery["channel"]][delivery["text_key"]]
        before, hole, after = content["text"].partition(HOLE)
        match = re.fullmatch(re.escape(before) + (LINK if hole else "()") + re.escape(after), text)
        return match is not None and (not hole or owner(match[1]) == delivery["id"])


def check(evidence: Evidence, *, over: bool = True) -> list[Violation]:
    """Return every violation; ``over`` says that all that was released should be settled."""
    case = Case(evidence)
    rules = [
        conservation, loss, copies, approval, chain, heads, steps, submissions, changes, cosigned,
        people_told, states, steps_back, foreign_receipts, time_limits, counters, reports, alarms,
        acknowledgements,
    ]  # fmt: skip
    if over:
        rules += [unsettled, left_parked]
    found = [violation for rule in rules for violation in rule(case)]
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
        arrived = sum(bool(one & {"accepted", "unknown"}) for one in case.outcomes(row["id"]).values())
        if got > arrived and row["state"] != SUBMITTING:
            what = f"{got} copies were received, {arrived} tries that may have arrived are recorded"
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
    needed = 0 if ruled(case, alert, authors) else approvers(alert, sealed["count"], policy)
    others = (signed & able) - authors
    if len(others) < needed and not sent_alone(case, alert, digest, others, policy):
        yield f"{len((signed & able) - authors)} others approved it, {needed} are needed"


def ruled(case: Case, alert: Row, authors: set[str]) -> bool:
    """Whether a written rule sent it: under its digest, nobody else's hand in it, and told in the audit."""
    rule = alert["plan"].get("by_rule")
    return (
        rule is not None
        and authors == {f"source.{rule['source']}"}
        and any(
            (row["action"], row["subject"]) == ("release_by_rule", f"alert {alert['id']}")
            and json.loads(row["detail"])["source"] == rule["source"]
            for row in case.tables["audit"]
        )
    )


def sent_alone(case: Case, alert: Row, digest: str, signed: set[str], policy: dict[str, Any]) -> bool:
    """Whether one of the signers sent this very digest by the emergency path, and the audit tells it."""
    if alert["level"] not in policy.get("emergency", {}).get("levels", ()):
        return False
    name = f"alert {alert['id']}"
    return any(
        row["person"] in signed
        and (row["alert_id"], row["digest"]) == (alert["id"], digest)
        and any(
            (one["action"], one["actor"], one["subject"]) == ("emergency", row["person"], name)
            and json.loads(one["detail"])["digest"] == digest
            for one in case.tables["audit"]
        )
        for row in case.tables["emergencies"]
    )


def approvers(alert: Row, count: int, policy: dict[str, Any]) -> int:
    if alert["msg_type"] == "Cancel":
        return int(policy["cancel"]["approvers"])
    further: int = sum(limit["further"] for limit in policy["crowd"] if count > limit["above"])
    unusual: int = alert["plan"].get("usual", {}).get("further", 0)
    return int(policy["approvers"][alert["level"]]) + further + unusual


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def signed_digest(alert: Row, sealed: Row) -> str:
    signed = {name: alert[name] for name in SIGNED} | {
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


def heads(case: Case) -> Iterator[Violation]:
    """A chain that was cut or rewritten agrees with itself, but not with what was noted outside."""
    hashes = {row["seq"]: row["hash"] for row in case.tables["audit"]}
    for seq, noted in sorted(case.evidence.heads):
        if hashes.get(seq) != noted:
            yield Violation("I6", f"audit {seq}", "was seen as the chain's head, and is not in the chain")


def steps(case: Case) -> Iterator[Violation]:
    told = Counter((row["action"], row["subject"]) for row in case.tables["audit"])
    done = Counter(
        ("approve", f"alert {row['alert_id']}")
        for row in case.tables["approvals"]
        if row["decision"] == "approve"
    )
    left = {row["alert_id"] for row in case.tables["releases"]}
    once = {step for alert in case.alerts.values() for step in taken_once(alert, left)}
    done.update((action, f"alert {number}") for action, number in once)
    # An alert that has expired may still be updated, and then its state does not tell any more.
    may = {("expire", f"alert {row['id']}") for row in case.alerts.values() if row["state"] == "updated"}
    for step in sorted((told.keys() | done.keys()) - may):
        if step[0] in COUNTED and told[step] != done[step]:
            what = f"{step[0]} happened {done[step]} times and is told {told[step]} times"
            yield Violation("I6", step[1], what)
    for release in case.tables["releases"]:
        name = f"alert {release['alert_id']}"
        if release["state"] == "stopped" and not any(told[action, name] for action in STOPS):
            yield Violation("I6", name, "was stopped, and no record tells by what")


def taken_once(alert: Row, left: set[int]) -> Iterator[tuple[str, int]]:
    """Yield the steps that an alert's row shows, each with the alert that it was done to."""
    yield "prepare_cancel" if alert["msg_type"] == "Cancel" else "draft", alert["id"]
    if alert["state"] in ENDS:
        yield ENDS[alert["state"]], alert["id"]
    if alert["state"] in LEFT_DESK or alert["id"] in left:
        yield "release", alert["id"]
        if alert["supersedes"] is not None:
            yield FOLLOWS[alert["msg_type"]], alert["supersedes"]


def submissions(case: Case) -> Iterator[Violation]:
    """Whatever waits for signatures, or has any, was submitted once under that digest."""
    told = Counter(
        (row["subject"], json.loads(row["detail"]).get("digest"))
        for row in case.tables["audit"]
        if row["action"] == "submit"
    )
    signed = {(f"alert {row['alert_id']}", row["digest"]) for row in case.tables["approvals"]}
    frozen = {(f"alert {row['id']}", row["digest"]) for row in case.alerts.values() if row["digest"]}
    for subject, digest in sorted(signed | frozen):
        if told[subject, digest] != 1:
            what = f"its submission under {digest} is told {told[subject, digest]} times"
            yield Violation("I6", subject, what)


def changes(case: Case) -> Iterator[Violation]:
    """Each edit and each rejection makes a new version."""
    told = Counter((row["action"], row["subject"]) for row in case.tables["audit"])
    refused = Counter(
        f"alert {row['alert_id']}" for row in case.tables["approvals"] if row["decision"] == "reject"
    )
    for alert in case.alerts.values():
        name = f"alert {alert['id']}"
        times = told["edit", name] + told["reject", name]
        if times != alert["version"] - 1 or told["reject", name] < refused[name]:
            yield Violation("I6", name, f"is version {alert['version']}, and {times} changes are told")


def cosigned(case: Case) -> Iterator[Violation]:
    """Who signed an emergency release afterwards is another person than who sent it, and is told."""
    told = {(row["actor"], row["subject"]) for row in case.tables["audit"] if row["action"] == "cosign"}
    for row in case.tables["emergencies"]:
        other, name = row["cosigned_by"], f"alert {row['alert_id']}"
        if other is not None and (other == row["person"] or (other, name) not in told):
            yield Violation("I6", name, f"{other} signed it afterwards, and that is not told as it should")


def people_told(case: Case) -> Iterator[Violation]:
    told = {row["subject"] for row in case.tables["audit"] if row["action"] == "person"}
    for row in case.tables["people"]:
        if f"person {row['login']}" not in told:
            yield Violation("I6", f"person {row['login']}", "came to the desk, and no record tells it")


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


def steps_back(case: Case) -> Iterator[Violation]:
    """A try follows only on one that surely did not arrive, or on a lost answer that is sent again."""
    for row in case.deliveries.values():
        resend = case.releases[row["release_id"]]["resend_unknown"]
        tries = sorted(case.outcomes(row["id"]).items())
        for number, outcomes in tries[:-1]:
            if outcomes <= {"accepted", "rejected"} or ("unknown" in outcomes and not resend):
                what = f"was tried again after try {number} was {' and '.join(sorted(outcomes))}"
                yield Violation("I7", f"delivery {row['id']}", what)


def left_parked(case: Case) -> Iterator[Violation]:
    """In the end no receipt waits whose attempt is known."""
    borne = {
        (row["channel"], row["ref"], case.mode(row["delivery_id"])): row["delivery_id"]
        for row in case.tables["attempts"]
    }
    for row in case.tables["parked_receipts"]:
        delivery = borne.get((row["channel"], row["ref"], row["mode"]))
        if row["ref"] and delivery is not None:
            yield Violation("I7", f"delivery {delivery}", f"its receipt {row['ref']} is still parked")


def foreign_receipts(case: Case) -> Iterator[Violation]:
    """A receipt counts for a delivery whose message bore its reference, and for no other."""
    bearers = defaultdict(set)
    for delivery, entries in case.received.items():
        for entry in entries:
            bearers[entry.channel, entry.ref].add(delivery)
    for row in case.tables["receipts"]:
        delivery = row["delivery_id"]
        if delivery is None or row["source"] != "provider" or not row["ref"]:
            continue
        name = f"delivery {delivery}"
        if row["ref"] not in case.refs(delivery):
            yield Violation("I7", name, f"counts the receipt {row['ref']}, which none of its attempts bears")
        elif delivery not in bearers.get((row["channel"], row["ref"]), {delivery}):
            yield Violation("I7", name, f"counts the receipt {row['ref']} of another delivery")


# I8, I9, I11, I13 ----------------------------------------------------------------------------


def time_limits(case: Case) -> Iterator[Violation]:
    stops: dict[str, datetime] = {}
    for row in case.tables["audit"]:
        if row["action"] in STOPS:
            stops.setdefault(row["subject"], row["at"])
    for row in case.deliveries.values():
        release = case.releases[row["release_id"]]
        stop = stops.get(f"alert {release['alert_id']}")
        got = min((entry.at for entry in case.received.get(row["id"], ())), default=None)
        name = f"delivery {row['id']}"
        if any(at > release["expires"] for at in first_tried(case.attempts[row["id"]])):
            yield Violation("I8", name, "was first tried after the expiry")
        if got and got > release["expires"] + CLOCKS:
            yield Violation("I8", name, "was first received after the expiry")
        if got and stop and got > stop + STOP_SECONDS:
            yield Violation("I8", name, "was first received after its release was stopped")


def first_tried(attempts: list[Row]) -> list[datetime]:
    """Return when the first try was claimed; who judges a lost lease knows only when that was."""
    claimed = [row["submitted_at"] for row in attempts if row["code"] != LEASE_LOST]
    return sorted(claimed)[:1]


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


TALLY = ("intended", "accepted", "delivered", "confirmed", "unknown", "failed", "pending", "rate")
SHARES = ("responsible", "responsible_in_time", "public_in_time", "villages", "population")
IN_TOWN = ("responsible", "in_time", "villages", "population")
TIMES = ("first_receipt_s", "t90_s")
DIGITS_OF = {"province": 2, "city": 4, "county": 6, "township": 9, "village": 12}
"""How many digits of its code a region shares with all that lies in it."""
RESPONSIBLE_SECONDS, PUBLIC_SECONDS = 300.0, 600.0
NOWHERE, FAILED, UNSURE, PENDING, TAKEN, REACHED, HAS_READ, ANSWERED = range(-1, 7)
STANDINGS = {
    UNKNOWN: UNSURE, SUPPRESSED: FAILED, ACCEPTED: TAKEN, EXPIRED: FAILED, REJECTED: FAILED,
    DELIVERED: REACHED, READ: HAS_READ, CONFIRMED: ANSWERED,
}  # fmt: skip
"""How far a delivery got; a person got as far as the best of the person's deliveries."""


class Addressee(NamedTuple):
    """One target of a release, and how far the warning got; times are seconds from the release."""

    region: str
    role: str
    standing: int
    reached: float | None
    confirmed: float | None


def reports(case: Case) -> Iterator[Violation]:
    for report in case.evidence.reports:
        release = case.releases[report["release"]["id"]]
        told, there = dict(flat(reported(report))), dict(flat(recounted(case, release)))
        for name in sorted(told.keys() | there.keys()):
            if told.get(name) != there.get(name):
                what = f"{name}: {told.get(name)} reported, {there.get(name)} there"
                yield Violation("I9", f"release {release['id']}", what)


def flat(figures: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each figure with its path."""
    if isinstance(figures, dict):
        for key, value in figures.items():
            yield from flat(value, f"{name} {key}".strip())
    else:
        yield name, round(figures, 6) if isinstance(figures, float) else figures


def reported(report: Row) -> Row:
    """Return the figures of a report that rows can confirm, its lists by name."""
    return {
        "people": only(report["people"], TALLY),
        "deliveries": only(report["deliveries"], TALLY),
        "townships": {row["code"]: only(row, TALLY + IN_TOWN) for row in report["townships"]},
        "channels": {row["channel"]: only(row, (*TALLY, "attempts_accepted")) for row in report["channels"]},
        "roles": {row["name"]: only(row, TALLY) for row in report["roles"]},
        "related": {row["id"]: only(row, ("intended", "delivered")) for row in report["related"]},
        **only(report, ("without_address", "attempts_accepted", *SHARES, *TIMES)),
    }


def only(figures: Row, names: Iterable[str]) -> Row:
    return {name: figures[name] for name in names}


def recounted(case: Case, release: Row) -> Row:
    """Return the same figures from a plain count of the rows."""
    people, aimed = addressees(case, release), aimed_at(case, release)
    own = grouped(case.tables["deliveries"], "release_id")[release["id"]]
    towns = by(people, lambda one: town_of(one.region))
    return {
        "people": of_people(people),
        "deliveries": tally(map(standing, own)),
        "attempts_accepted": accepted_tries(case, own),
        "townships": {
            code: in_town(case, towns[code], {one for one in aimed if town_of(one) == code})
            for code in towns.keys() | set(map(town_of, aimed))
        },
        "channels": {name: in_channel(case, some) for name, some in grouped(own, "channel").items()},
        "roles": {role: of_people(some) for role, some in by(people, lambda one: one.role).items()},
        "related": related(case, release),
        "without_address": sum(one.standing == NOWHERE for one in people),
        **shares(case, people, aimed),
        **times(people),
    }


def town_of(region: str) -> str:
    return region[:9].ljust(12, "0")


def aimed_at(case: Case, release: Row) -> set[str]:
    """Return the villages of the warned area, whether anybody there is known or not."""
    (area,) = (row["area"] for row in case.tables["target_lists"] if row["id"] == release["target_list_id"])
    warned = tuple(one["code"][: DIGITS_OF[one["level"]]] for one in area.get("regions", ()))
    return {code for code in village_populations(case) if code.startswith(warned)}


def accepted_tries(case: Case, deliveries: list[Row]) -> Row:
    tries = [one for row in deliveries for one in case.outcomes(row["id"]).values()]
    return share(sum("accepted" in one for one in tries), len(tries))


def in_channel(case: Case, deliveries: list[Row]) -> Row:
    return tally(map(standing, deliveries)) | {"attempts_accepted": accepted_tries(case, deliveries)}


def by(people: Iterable[Addressee], name: Callable[[Addressee], str]) -> dict[str, list[Addressee]]:
    groups = defaultdict(list)
    for one in people:
        groups[name(one)].append(one)
    return groups


def standing(delivery: Row) -> int:
    return STANDINGS.get(delivery["state"], PENDING)


def addressees(case: Case, release: Row) -> list[Addressee]:
    own = grouped(
        [row for row in case.deliveries.values() if row["release_id"] == release["id"]], "target_id"
    )
    return [
        addressee(target, own[target["id"]], release["released_at"])
        for target in case.tables["targets"]
        if target["list_id"] == release["target_list_id"]
    ]


def addressee(target: Row, deliveries: list[Row], since: datetime) -> Addressee:
    there = [row for row in deliveries if row["state"] >= DELIVERED]
    reached = [at for row in there for at in (row["delivered_at"], row["confirmed_at"]) if at]
    confirmed = [row["confirmed_at"] for row in there if row["state"] == CONFIRMED and row["confirmed_at"]]
    return Addressee(
        target["region"],
        target["role"],
        max(map(standing, deliveries), default=NOWHERE),
        (min(reached) - since).total_seconds() if reached else None,
        (min(confirmed) - since).total_seconds() if confirmed else None,
    )


def tally(standings: Iterable[int]) -> Row:
    found = list(standings)
    delivered = sum(one >= REACHED for one in found)
    return {
        "intended": len(found),
        "accepted": sum(one >= TAKEN for one in found),
        "delivered": delivered,
        "confirmed": found.count(ANSWERED),
        "unknown": found.count(UNSURE),
        "failed": found.count(FAILED) + found.count(NOWHERE),
        "pending": found.count(PENDING),
        "rate": delivered / len(found) if found else None,
    }


def of_people(people: list[Addressee]) -> Row:
    return tally(one.standing for one in people)


def share(part: int, of: int) -> Row:
    return {"part": part, "of": of, "rate": part / of if of else None}


def in_town(case: Case, people: list[Addressee], aimed: set[str]) -> Row:
    all_shares = shares(case, people, aimed)
    own = {"in_time": all_shares["responsible_in_time"]}
    own |= only(all_shares, ("responsible", "villages", "population"))
    return of_people(people) | own


def shares(case: Case, people: list[Addressee], aimed: set[str]) -> Row:
    responsible = [one for one in people if one.role == "responsible"]
    public = [one for one in people if one.role != "responsible"]
    return {
        "responsible": share(sum(one.standing == ANSWERED for one in responsible), len(responsible)),
        "responsible_in_time": share(
            sum(within(one.confirmed, RESPONSIBLE_SECONDS) for one in responsible), len(responsible)
        ),
        "public_in_time": share(sum(within(one.reached, PUBLIC_SECONDS) for one in public), len(public)),
        **villages(case, people, aimed),
    }


def within(seconds: float | None, limit: float) -> bool:
    return seconds is not None and seconds <= limit


def villages(case: Case, people: list[Addressee], aimed: set[str]) -> Row:
    """A village is covered by a watcher's answer or by a loudspeaker that has played."""
    population = village_populations(case)
    targeted = aimed | ({one.region for one in people} & population.keys())
    covered = targeted & {one.region for one in people if covers(one)}
    return {
        "villages": share(len(covered), len(targeted)),
        "population": share(
            sum(population[code] for code in covered), sum(population[code] for code in targeted)
        ),
    }


def village_populations(case: Case) -> dict[str, int]:
    return {
        row["code"]: row["population"] or 0 for row in case.tables["regions"] if row["level"] == "village"
    }


def covers(one: Addressee) -> bool:
    if one.role == "device":
        return one.standing >= REACHED
    return one.role in {"responsible", "informant"} and one.standing == ANSWERED


def times(people: list[Addressee]) -> Row:
    """The first proof, and the time by which nine of ten of those reached were reached."""
    reached = sorted(one.reached for one in people if one.reached is not None)
    if not reached:
        return dict.fromkeys(TIMES)
    return {"first_receipt_s": reached[0], "t90_s": reached[(9 * len(reached) + 9) // 10 - 1]}


def related(case: Case, release: Row) -> Row:
    """Other releases of the same warning, with their deliveries."""
    found = {}
    for other in case.releases.values():
        if other["warning_id"] == release["warning_id"] and other["id"] != release["id"]:
            own = [row for row in case.deliveries.values() if row["release_id"] == other["id"]]
            delivered = sum(row["state"] >= DELIVERED for row in own)
            found[other["id"]] = {"intended": len(own), "delivered": delivered}
    return found


def alarms(case: Case) -> Iterator[Violation]:
    told = {row.get("batch") for row in case.evidence.logs if row.get("event") == "lease expired"}
    alarmed = {row.get("batch") for row in case.evidence.logs if row.get("alarm")}
    lost = {row["batch_id"] for row in case.tables["attempts"] if row["code"] == LEASE_LOST}
    for batch in sorted(lost - told):
        yield Violation("I11", f"batch {batch}", "lost its holder, and no line of the log says so")
    for row in case.tables["batches"]:
        if row["crashes"] >= ALARMING_CRASHES and row["id"] not in alarmed:
            yield Violation("I11", f"batch {row['id']}", f"crashed {row['crashes']} times without an alarm")


def acknowledgements(case: Case) -> Iterator[Violation]:
    for channel, refs in case.evidence.acknowledged.receipts.items():
        kept = Counter(
            row["ref"]
            for table in ("receipts", "parked_receipts")
            for row in case.tables[table]
            if (row["channel"], row["source"]) == (channel, "provider")
        )
        for ref, times in sorted(Counter(refs).items()):
            if kept[ref] < times:
                what = f"was acknowledged {times} times and is kept {kept[ref]} times"
                yield Violation("I13", f"channel {channel} receipt {ref}", what)
    for table, column, value in sorted(case.evidence.acknowledged.rows, key=str):
        if not any(row[column] == value for row in case.tables[table]):
            yield Violation("I13", f"{table} {value}", "was acknowledged and is not there")
