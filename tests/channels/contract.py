"""What every channel adapter promises, proved on real sockets against its simulator.

An adapter's test file holds one class that inherits :class:`ChannelContract`, names the
channel kind and says by which script its simulator falls silent, answers slowly, refuses,
throttles or cuts the line. Everything else is inherited. Every address here is invented.
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import ValidationError

from channels import base

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

DEADLINE = 20.0
"""Seconds a test waits for a state; generous, because the machine may be busy."""

TEXT = "【桐山县气象台】暴雨橙色预警：请低洼处人员立即转移。"
LINK = "https://w.example.org/c/7Kq2"
CONTROLS = ["\r", "\n", "\r\nRSET", "\x00", "\x1b", "\x7f", "\u2028", "\x85"]


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds, or fail after :data:`DEADLINE`."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - a state of another process rings no bell
            await asyncio.sleep(0.005)


def content(**changes: Any) -> base.Content:
    """Return an invented orange rainstorm warning, with changes."""
    sent = datetime.now(UTC).replace(microsecond=0)
    whole = base.Content(
        release="r-20260722-0001",
        language="zh-CN",
        subject="暴雨橙色预警",
        text=TEXT,
        level="orange",
        event="暴雨",
        sender="桐山县气象台",
        sent=sent,
        expires=sent + timedelta(hours=6),
    )
    return whole._replace(**changes)


@dataclasses.dataclass
class Book:
    """A reporter that keeps every outcome under its delivery."""

    outcomes: dict[int, list[base.Outcome]] = dataclasses.field(default_factory=dict)

    def __call__(self, results: Sequence[tuple[int, base.Outcome]]) -> None:
        for delivery, outcome in results:
            self.outcomes.setdefault(delivery, []).append(outcome)

    def once(self) -> dict[int, base.Outcome]:
        """Return each delivery's outcome, having checked that it was told exactly once."""
        doubled = {delivery: told for delivery, told in self.outcomes.items() if len(told) != 1}
        assert not doubled
        return {delivery: told[0] for delivery, told in self.outcomes.items()}


@dataclasses.dataclass
class Inbox:
    """A sink that acknowledges at once, or holds the acknowledgements back until released."""

    reports: list[base.Report] = dataclasses.field(default_factory=list)
    hold: bool = False
    held: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    def __call__(self, reports: Sequence[base.Report], acknowledge: Callable[[], None]) -> None:
        self.reports.extend(reports)
        if self.hold:
            self.held.append(acknowledge)
        else:
            acknowledge()

    def release(self) -> None:
        """Acknowledge everything that was held."""
        self.hold = False
        while self.held:
            self.held.pop()()

    @property
    def receipts(self) -> list[base.Receipt]:
        return [report for report in self.reports if isinstance(report, base.Receipt)]


class ChannelContract:
    """Inherit as ``class TestMyChannel(ChannelContract)`` and fill in what follows.

    The scripts are simulator attributes with the value to give them. Where a channel cannot
    do a thing at all (a provider that never throttles), the script is None and the test is
    skipped with that reason.
    """

    kind: ClassVar[str]
    silent: ClassVar[dict[str, Any]]
    """Takes every message and never answers."""
    slow: ClassVar[dict[str, Any]]
    """Answers after some 50 ms."""
    cut: ClassVar[dict[str, Any]]
    """Takes some messages, answers a part of them and breaks the connection."""
    rejecting: ClassVar[dict[str, Any] | None]
    """Refuses every message for good."""
    throttling: ClassVar[dict[str, Any] | None]
    """Refuses every message as coming too fast."""
    bad_addresses: ClassVar[Sequence[str]]
    """Addresses that this channel cannot use, control characters apart."""
    route: ClassVar[dict[str, Any]] = {}
    """Route settings of the adapter that the tests need besides those of the simulator."""
    secret_addresses: ClassVar[bool] = True
    """Whether an address gives a person away and must be masked in reports."""

    # Hooks ---------------------------------------------------------------------------------

    def address(self, number: int) -> str:
        """Return the invented address number ``number`` (0-99), as a user would write it."""
        raise NotImplementedError

    def settled(self, simulator: Any) -> bool:
        """Tell whether what the provider took has all come to the simulator's ledger."""
        return bool(getattr(simulator, "settled", True))

    def peak(self, simulator: Any) -> int:
        """Return the most messages that the simulator held unanswered at one time."""
        peak: int = simulator.peak
        return peak

    def acknowledged(self, simulator: Any) -> int:
        """Return how many reports the simulator knows to be acknowledged by the adapter."""
        acknowledged: int = simulator.acknowledged
        return acknowledged

    # Fixtures ------------------------------------------------------------------------------

    @pytest.fixture
    async def simulator(self) -> AsyncIterator[Any]:
        simulator = base.simulator(self.kind)()
        await simulator.start()
        yield simulator
        await simulator.stop()

    @pytest.fixture
    def inbox(self) -> Inbox:
        return Inbox()

    @pytest.fixture
    def book(self) -> Book:
        return Book()

    @pytest.fixture
    async def opened(
        self, simulator: Any, inbox: Inbox
    ) -> AsyncIterator[Callable[..., Awaitable[base.Channel]]]:
        """Return a maker of opened channels (and of their listener); all are closed at the end."""
        running: list[Any] = []

        async def make(**changes: Any) -> base.Channel:
            settings = self.settings(simulator, **changes)
            adapter = base.adapter(self.kind)
            listener = adapter.listener(settings, inbox)
            if listener is not None:
                await listener.start()
                running.append(listener.stop)
            channel = adapter(settings, inbox)
            await channel.open()
            running.append(channel.close)
            return channel

        yield make
        inbox.release()
        for stop in reversed(running):
            await stop()

    @pytest.fixture
    async def channel(self, opened: Callable[..., Awaitable[base.Channel]]) -> base.Channel:
        return await opened()

    # Helpers -------------------------------------------------------------------------------

    def settings(self, simulator: Any, **changes: Any) -> base.RouteSettings:
        """Return the adapter's settings for this simulator."""
        model = base.adapter(self.kind).Settings
        return model(**{**simulator.settings(), **self.route, **changes})

    def messages(self, count: int, start: int = 0, fill: str = "") -> list[base.Message]:
        """Return so many messages to different addresses, in the adapter's own form."""
        check = base.adapter(self.kind).check_address
        return [base.Message(start + n, check(self.address(start + n)), fill) for n in range(count)]

    @staticmethod
    def play(simulator: Any, script: dict[str, Any] | None) -> None:
        """Give the simulator its script, or skip the test."""
        if script is None:
            pytest.skip("this provider never does that")
        for name, value in script.items():
            assert hasattr(simulator, name), f"the simulator has no script attribute {name}"
            setattr(simulator, name, value)

    @staticmethod
    async def sent(
        channel: base.Channel, book: Book, messages: Sequence[base.Message], **changes: Any
    ) -> base.Prepared:
        """Send the messages and return what was prepared for them."""
        prepared = channel.prepare(content(**changes))
        async with asyncio.timeout(DEADLINE):
            await channel.send(prepared, messages, book)
        return prepared

    @staticmethod
    def taken(simulator: Any, messages: Sequence[base.Message]) -> set[int]:
        """Return the deliveries that truly arrived, by the simulator's ledger."""
        arrived = {entry.address for entry in simulator.ledger}
        return {message.delivery for message in messages if message.address in arrived}

    # Outcomes ------------------------------------------------------------------------------

    async def test_every_message_is_reported_exactly_once_and_arrives(self, simulator, channel, book):
        messages = self.messages(25)
        await self.sent(channel, book, messages)
        outcomes = book.once()
        assert sorted(outcomes) == [message.delivery for message in messages]
        assert {type(outcome) for outcome in outcomes.values()} == {base.Accepted}
        assert self.taken(simulator, messages) == set(outcomes)
        assert len(simulator.ledger) == len(messages)

    async def test_sending_to_nobody_ends_at_once(self, channel, book):
        await self.sent(channel, book, [])
        assert book.outcomes == {}

    async def test_a_person_reads_exactly_what_the_approver_saw(self, simulator, channel, book):
        prepared = await self.sent(channel, book, self.messages(2))
        assert [entry.text for entry in simulator.ledger] == [prepared.preview()] * 2

    async def test_the_hole_is_filled_for_each_person(self, simulator, channel, book):
        fills = [f"{LINK}{n}" for n in range(3)]
        messages = [
            message._replace(fill=fill) for message, fill in zip(self.messages(3), fills, strict=True)
        ]
        prepared = await self.sent(channel, book, messages, text=f"{TEXT}{base.HOLE}")
        read = {entry.address: entry.text for entry in simulator.ledger}
        assert read == {message.address: prepared.preview(message.fill) for message in messages}
        assert not [text for text in read.values() if base.HOLE in text]
        if channel.capabilities.links:
            assert [fill for fill, text in zip(fills, read.values(), strict=True) if fill not in text] == []

    async def test_a_refusal_for_good_is_rejected(self, simulator, channel, book):
        self.play(simulator, self.rejecting)
        await self.sent(channel, book, self.messages(3))
        assert [type(outcome) for outcome in book.once().values()] == [base.Rejected] * 3
        assert all(outcome.code for outcome in book.once().values() if isinstance(outcome, base.Rejected))

    async def test_too_fast_is_a_throttle_and_no_failure(self, simulator, opened, book):
        self.play(simulator, self.throttling)
        channel = await opened()
        await self.sent(channel, book, self.messages(3))
        assert [type(outcome) for outcome in book.once().values()] == [base.Throttled] * 3
        assert all(outcome.after > 0 for outcome in book.once().values() if hasattr(outcome, "after"))

    async def test_an_answer_that_never_comes_is_unknown(self, simulator, opened, book):
        self.play(simulator, self.silent)
        channel = await opened(timeout=0.3)
        await self.sent(channel, book, self.messages(3))
        assert [type(outcome) for outcome in book.once().values()] == [base.Unknown] * 3

    async def test_two_sends_run_side_by_side(self, simulator, opened, book):
        self.play(simulator, self.slow)
        channel = await opened(window=4)
        other = Book()
        first, second = self.messages(12), self.messages(12, start=40)
        await asyncio.gather(self.sent(channel, book, first), self.sent(channel, other, second))
        assert sorted(book.once()) == [message.delivery for message in first]
        assert sorted(other.once()) == [message.delivery for message in second]
        assert self.taken(simulator, [*first, *second]) == {*book.outcomes, *other.outcomes}

    async def test_the_window_is_kept(self, simulator, opened, book):
        self.play(simulator, self.slow)
        channel = await opened(window=3)
        await asyncio.gather(
            self.sent(channel, book, self.messages(12)),
            self.sent(channel, book, self.messages(12, start=40)),
        )
        assert len(book.once()) == 24
        assert 1 <= self.peak(simulator) <= 3

    async def test_cancelling_leaves_what_was_not_written_unreported(self, simulator, opened, book):
        self.play(simulator, self.silent)
        channel = await opened(window=4, timeout=1.0)
        messages = self.messages(40)
        task = asyncio.create_task(channel.send(channel.prepare(content()), messages, book))
        await until(lambda: len(simulator.ledger) >= 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: self.taken(simulator, messages) <= set(book.outcomes))
        await channel.close()
        taken = self.taken(simulator, messages)
        outcomes = book.once()
        assert taken <= set(outcomes)
        assert len(outcomes) <= 8, "a cancelled send goes on writing"
        assert {type(outcome) for outcome in outcomes.values()} == {base.Unknown}

    async def test_a_lost_connection_never_claims_what_is_not_known(self, simulator, opened, book):
        self.play(simulator, self.cut)
        channel = await opened(window=4, timeout=2.0)
        messages = self.messages(40)
        await self.sent(channel, book, messages)
        outcomes = book.once()
        taken = self.taken(simulator, messages)
        assert sorted(outcomes) == [message.delivery for message in messages]
        assert {d for d, outcome in outcomes.items() if isinstance(outcome, base.Accepted)} <= taken
        sure = (base.Retry, base.Throttled, base.Rejected)
        assert not {d for d, outcome in outcomes.items() if isinstance(outcome, sure)} & taken
        assert not all(isinstance(outcome, base.Accepted) for outcome in outcomes.values())

    # The gate ------------------------------------------------------------------------------

    async def test_behind_a_shut_gate_nothing_leaves_and_everything_is_held(self, simulator, channel, book):
        messages = self.messages(25)
        async with asyncio.timeout(DEADLINE):
            await channel.send(channel.prepare(content()), messages, book, lambda: False)
        assert book.once() == {message.delivery: base.HELD for message in messages}
        await self.sent(channel, Book(), self.messages(2, start=40))
        assert self.taken(simulator, messages) == set()

    async def test_nothing_is_written_once_the_gate_has_shut(self, simulator, opened, book):
        self.play(simulator, self.slow)
        channel, messages, shut = await opened(window=3), self.messages(60), asyncio.Event()
        sending = asyncio.create_task(
            channel.send(channel.prepare(content()), messages, book, lambda: not shut.is_set())
        )
        await until(lambda: len(simulator.ledger) >= 4)
        written = len(simulator.ledger)
        shut.set()
        await until(lambda: base.HELD in [told[0] for told in book.outcomes.values()])
        assert len(book.outcomes) >= len(messages) - 3, "what still waits is held at once"
        async with asyncio.timeout(DEADLINE):
            await sending
        await until(lambda: self.settled(simulator))
        outcomes = book.once()
        assert sorted(outcomes) == [message.delivery for message in messages]
        assert set(outcomes.values()) - {base.HELD} == {
            outcome for outcome in outcomes.values() if isinstance(outcome, base.Accepted)
        }
        accepted = {d for d, outcome in outcomes.items() if outcome != base.HELD}
        assert self.taken(simulator, messages) == accepted
        assert len(simulator.ledger) <= written + 3, "no more than was under way in the window"

    async def test_a_shut_gate_holds_one_send_at_once_though_another_fills_the_window(
        self, simulator, opened, book
    ):
        self.play(simulator, self.silent)
        channel = await opened(window=2, timeout=10 * DEADLINE)
        held, other = self.messages(5), self.messages(1, start=40)
        waiting = asyncio.create_task(channel.send(channel.prepare(content()), other, Book()))
        await until(lambda: len(simulator.ledger) >= 1)
        async with asyncio.timeout(DEADLINE):
            await channel.send(channel.prepare(content()), held, book, lambda: False)
        assert book.once() == {message.delivery: base.HELD for message in held}
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting})

    # Addresses and contents ----------------------------------------------------------------

    @pytest.mark.parametrize("control", CONTROLS, ids=ascii)
    @pytest.mark.parametrize("place", ["before", "inside", "after"])
    def test_an_address_with_a_control_character_is_refused(self, control, place):
        address = self.address(1)
        cut = {"before": 0, "inside": len(address) // 2, "after": len(address)}[place]
        with pytest.raises(base.AddressRefused) as refused:
            base.adapter(self.kind).check_address(address[:cut] + control + address[cut:])
        assert address not in str(refused.value)

    def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(self):
        for address in ("", " ", *self.bad_addresses):
            with pytest.raises(base.AddressRefused) as refused:
                base.adapter(self.kind).check_address(address)
            assert str(refused.value).strip()
            assert not address.strip() or address not in str(refused.value)

    def test_an_address_has_one_form(self):
        check = base.adapter(self.kind).check_address
        for number in range(5):
            once = check(self.address(number))
            assert check(once) == once

    def test_content_over_the_limit_is_refused_with_the_limit(self, simulator):
        adapter = base.adapter(self.kind)
        limit = adapter.capabilities.text_limit
        if not limit:
            pytest.skip("this channel has no limit")
        channel = adapter(self.settings(simulator), Inbox())
        with pytest.raises(base.ContentRefused) as refused:
            channel.prepare(content(text="雨" * (limit + 1)))
        assert str(limit) in str(refused.value)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param(" \n\t", id="blank"),
            pytest.param(f"{TEXT}\x00", id="NUL"),
            pytest.param(f"{TEXT}\x1b[31m", id="escape"),
            pytest.param(f"{TEXT}\ud83c", id="half a character"),
            pytest.param(f"{base.HOLE}{TEXT}{base.HOLE}", id="two holes"),
        ],
    )
    def test_a_text_that_nobody_can_read_is_refused_in_a_sentence(self, simulator, text):
        channel = base.adapter(self.kind)(self.settings(simulator), Inbox())
        with pytest.raises(base.ContentRefused) as refused:
            channel.prepare(content(text=text))
        assert str(refused.value).isprintable()

    @pytest.mark.parametrize("fill", ["\ud83c", "https://w.example.org/\x00"], ids=ascii)
    async def test_a_fill_that_cannot_be_sent_concerns_its_own_message_only(
        self, simulator, channel, book, fill
    ):
        good, bad, last = self.messages(3, fill=LINK)
        await self.sent(channel, book, [good, bad._replace(fill=fill), last], text=f"{TEXT}{base.HOLE}")
        outcomes = book.once()
        assert {type(outcomes[message.delivery]) for message in (good, last)} == {base.Accepted}
        expected = base.Rejected if channel.capabilities.links else base.Accepted
        assert isinstance(outcomes[bad.delivery], expected)

    def test_preparing_is_pure(self, simulator):
        channel = base.adapter(self.kind)(self.settings(simulator), Inbox())
        first, second = channel.prepare(content()), channel.prepare(content())
        assert first.preview() == second.preview()
        assert first.parts == second.parts >= 1
        assert simulator.ledger == [] or not list(simulator.ledger)

    # Session -------------------------------------------------------------------------------

    async def test_a_provider_that_is_not_there_is_told_in_a_sentence(self, simulator):
        settings = self.settings(simulator, timeout=1.0)
        await simulator.stop()
        channel = base.adapter(self.kind)(settings, Inbox())
        with pytest.raises(base.ChannelDown) as down:
            async with asyncio.timeout(DEADLINE):
                await channel.open()
        assert len(str(down.value).splitlines()) == 1
        await channel.close()

    async def test_closing_leaves_no_task_behind_and_may_be_repeated(self, simulator, inbox, book):
        before = asyncio.all_tasks()
        channel = base.adapter(self.kind)(self.settings(simulator), inbox)
        await channel.open()
        mine = asyncio.all_tasks() - before
        await self.sent(channel, book, self.messages(3))
        await channel.close()
        await channel.close()
        await until(lambda: not any(not task.done() for task in mine))

    def test_settings_refuse_what_they_do_not_know(self, simulator):
        with pytest.raises(ValidationError):
            self.settings(simulator, colour="blue")

    def test_settings_do_not_print_secrets(self, simulator):
        settings = self.settings(simulator)
        secrets = [value.get_secret_value() for _, value in settings if hasattr(value, "get_secret_value")]
        assert not [secret for secret in secrets if secret and secret in repr(settings)]

    # Reports -------------------------------------------------------------------------------

    async def test_receipts_name_what_was_accepted_and_keep_to_the_capability_row(
        self, simulator, channel, inbox, book
    ):
        messages = self.messages(5)
        await self.sent(channel, book, messages)
        capabilities = channel.capabilities
        if not capabilities.receipts:
            assert capabilities.highest is base.Proof.ACCEPTED
            await asyncio.sleep(0.2)
            assert inbox.receipts == []
            return
        refs = {
            ref
            for outcome in book.once().values()
            if isinstance(outcome, base.Accepted)
            for ref in outcome.refs
        }
        # A device may tell of a state that proves no more than ``accepted`` before the one that does.
        await until(
            lambda: (
                len(inbox.receipts) >= len(messages)
                and any(receipt.state > base.Proof.ACCEPTED for receipt in inbox.receipts)
            )
        )
        for receipt in inbox.receipts:
            assert receipt.ref in refs or receipt.delivery in book.outcomes
            assert receipt.state <= capabilities.highest

    async def test_reports_do_not_give_the_address_away(self, channel, inbox, book):
        if not (channel.capabilities.receipts and self.secret_addresses):
            pytest.skip("no report of this channel could name a person")
        messages = self.messages(5)
        await self.sent(channel, book, messages)
        await until(lambda: len(inbox.receipts) >= len(messages))
        told = repr(inbox.receipts)
        assert not [message.address for message in messages if message.address in told]

    async def test_a_report_is_acknowledged_only_when_it_is_durable(self, simulator, channel, inbox, book):
        if not channel.capabilities.receipts:
            pytest.skip("this channel takes no reports")
        inbox.hold = True
        await self.sent(channel, book, self.messages(3))
        await until(lambda: len(inbox.receipts) >= 3)
        await asyncio.sleep(0.1)
        assert self.acknowledged(simulator) == 0
        inbox.release()
        await until(lambda: self.acknowledged(simulator) >= 3)
