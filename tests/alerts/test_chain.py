from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from gateway.alerts.chain import Chain, live
from gateway.alerts.model import MsgType, Reference, Status


@pytest.fixture
def make(alert):
    """Messages by name, an hour apart, that reference others by the message."""

    def build(name, hour, kind=MsgType.ALERT, about=(), **values):
        references = tuple(Reference(sender=a.sender, identifier=a.identifier, sent=a.sent) for a in about)
        fixed = {"identifier": name, "sent": alert.sent + timedelta(hours=hour), "msg_type": kind}
        return alert.model_copy(update={**fixed, "references": references, **values})

    return build


@pytest.fixture
def at(alert):
    return lambda hour: alert.sent + timedelta(hours=hour)


def names(alerts):
    return [alert.identifier for alert in alerts]


class TestSuperseding:
    def test_an_update_takes_the_place_of_what_it_names(self, make, at):
        first = make("A", 0)
        second = make("B", 1, MsgType.UPDATE, [first])
        assert names(live([first, second], at(0.5))) == ["A"]
        assert names(live([first, second], at(1))) == ["B"]

    def test_a_cancel_leaves_nothing(self, make, at):
        first = make("A", 0)
        assert live([first, make("C", 1, MsgType.CANCEL, [first])], at(2)) == ()

    def test_the_order_of_arrival_makes_no_difference(self, make, at):
        first = make("A", 0)
        second = make("B", 1, MsgType.UPDATE, [first])
        third = make("C", 2, MsgType.CANCEL, [second])
        for order in itertools.permutations([first, second, third]):
            assert names(live(order, at(1.5))) == ["B"]
            assert live(order, at(3)) == ()

    def test_a_cancelled_update_does_not_revive_what_it_replaced(self, make, at):
        first = make("A", 0)
        second = make("B", 1, MsgType.UPDATE, [first])
        assert live([make("C", 2, MsgType.CANCEL, [second]), second, first], at(3)) == ()

    def test_an_expired_update_does_not_revive_what_it_replaced(self, make, at, info):
        first = make("A", 0)
        short = info.model_copy(update={"expires": at(2)})
        second = make("B", 1, MsgType.UPDATE, [first], infos=(short,))
        assert names(live([first, second], at(1.5))) == ["B"]
        assert live([first, second], at(2)) == ()

    def test_instants_are_compared_and_not_strings(self, make, at):
        first = make("A", 0)
        same = Reference(sender=first.sender, identifier="A", sent="2026-07-01T00:00:00Z")
        cancel = make("C", 1, MsgType.CANCEL, references=(same,))
        assert live([first, cancel], at(2)) == ()

    def test_another_sent_is_another_message(self, make, at):
        first = make("A", 0)
        other = Reference(sender=first.sender, identifier="A", sent="2026-07-01T08:00:01+08:00")
        assert names(live([first, make("C", 1, MsgType.CANCEL, references=(other,))], at(2))) == ["A"]

    def test_a_plain_alert_supersedes_nothing(self, make, at):
        first = make("A", 0)
        assert names(live([first, make("B", 1, about=[first])], at(2))) == ["A", "B"]

    def test_a_broken_reference_matches_within_its_sender(self, make, at):
        first = make("A", 0)
        foreign = make("A", 0, sender="other@example.org")
        update = make("B", 1, MsgType.UPDATE, malformed_references=("A",))
        assert names(live([first, foreign, update], at(2))) == ["A", "B"]

    def test_the_end_of_a_chain_is_found_from_its_beginning(self, make):
        first = make("A", 0)
        second = make("B", 1, MsgType.UPDATE, [first])
        third = make("C", 2, MsgType.UPDATE, [second])
        chain = Chain([third, first, second])
        assert names(chain.latest(first.key)) == ["C"]
        assert names(chain.superseders(first.key)) == ["B"]


class TestWhoMay:
    def test_a_strangers_cancel_has_no_effect_and_is_reported(self, make, at):
        first = make("A", 0)
        cancel = make("C", 1, MsgType.CANCEL, [first], sender="stranger@example.org")
        chain = Chain([first, cancel])
        assert names(chain.live(at(2))) == ["A"]
        assert [claim.by for claim in chain.refused] == [cancel.key]

    def test_a_delegate_may(self, make, at):
        first = make("A", 0)
        cancel = make("C", 1, MsgType.CANCEL, [first], sender="province@example.org")
        delegates = {first.sender: ["province@example.org"]}
        assert live([cancel, first], at(2), delegates=delegates) == ()

    def test_a_test_does_not_cancel_a_real_warning(self, make, at):
        first = make("A", 0)
        cancel = make("C", 1, MsgType.CANCEL, [first], status=Status.TEST)
        chain = Chain([first, cancel])
        assert names(chain.live(at(2))) == ["A"]
        assert len(chain.refused) == 1


class TestOddities:
    def test_unknown_targets_are_remembered(self, make, at):
        never = make("N", 0)
        update = make("B", 1, MsgType.UPDATE, [never])
        chain = Chain([update])
        assert names(chain.live(at(2))) == ["B"]
        assert [claim.target for claim in chain.unknown] == [never.key]
        assert chain.superseded_at(never.key) == update.sent

    def test_a_message_that_references_itself_stays_live(self, make, at):
        plain = make("B", 1, MsgType.UPDATE)
        itself = make("B", 1, MsgType.UPDATE, [plain])
        chain = Chain([itself])
        assert names(chain.live(at(2))) == ["B"]
        assert names(chain.latest(itself.key)) == ["B"]

    def test_updates_that_name_each_other_do_not_silence_each_other(self, make, at):
        first = make("A", 0, MsgType.UPDATE, [make("B", 1)])
        second = make("B", 1, MsgType.UPDATE, [make("A", 0)])
        for order in ([first, second], [second, first]):
            chain = Chain(order)
            assert names(chain.live(at(2))) == ["A", "B"]
            assert {claim.by for claim in chain.refused} == {first.key, second.key}

    def test_a_circle_of_one_second_silences_nobody(self, make, at):
        circle = [make(one, 1, MsgType.UPDATE, [make(other, 1)]) for one, other in ("AB", "BC", "CA")]
        for order in itertools.permutations(circle):
            chain = Chain(order)
            assert sorted(names(chain.live(at(2)))) == ["A", "B", "C"]
            assert sorted(names(chain.latest(circle[0].key))) == ["A"]

    def test_an_update_of_the_same_second_counts(self, make, at):
        first = make("A", 0)
        assert names(live([first, make("B", 0, MsgType.UPDATE, [first])], at(2))) == ["B"]

    def test_a_third_message_ends_a_circle(self, make, at):
        first = make("A", 0, MsgType.UPDATE, [make("B", 1)])
        second = make("B", 1, MsgType.UPDATE, [make("A", 0)])
        third = make("C", 2, MsgType.UPDATE, [first, second])
        assert names(live([first, second, third], at(3))) == ["C"]

    def test_a_cancel_counts_though_its_target_names_it(self, make, at):
        first = make("A", 0, MsgType.UPDATE, [make("C", 1)])
        assert live([first, make("C", 1, MsgType.CANCEL, [first])], at(2)) == ()

    def test_naming_back_does_not_help_against_a_delegate(self, make, at):
        province = "province@example.org"
        target = make("B", 2, MsgType.UPDATE, [make("A", 3, sender=province)])
        update = make("A", 3, MsgType.UPDATE, [target], sender=province)
        delegates = {target.sender: [province]}
        assert names(live([target, update], at(4), delegates=delegates)) == ["A"]

    @pytest.mark.parametrize("kind", [MsgType.UPDATE, MsgType.CANCEL])
    def test_what_was_sent_later_cannot_be_meant(self, make, at, kind):
        later = make("B", 1)
        early = make("A", 0, kind, [later])
        chain = Chain([later, early])
        assert "B" in names(chain.live(at(2)))
        assert [claim.target for claim in chain.refused] == [later.key]

    def test_a_long_chain_is_followed_without_recursion(self, make, at):
        links = [make("0", 0)]
        for n in range(1, 2000):
            links.append(make(str(n), n / 3600, MsgType.UPDATE, [links[-1]]))
        assert names(Chain(links).latest(links[0].key)) == ["1999"]

    def test_the_same_bytes_twice_are_one_message(self, make, at):
        chain = Chain([make("A", 0), make("A", 0)])
        assert len(chain.alerts) == 1
        assert not chain.held

    def test_two_contents_under_one_key_are_both_held(self, make, at):
        one, other = make("A", 0), make("A", 0, note="other")
        for order in ([one, other], [other, one, other]):
            chain = Chain(order)
            assert set(chain.held[one.key]) == {one, other}
            assert chain.live(at(1)) == ()

    def test_what_is_held_supersedes_nothing(self, make, at):
        first = make("A", 0)
        update, other = make("B", 1, MsgType.UPDATE, [first]), make("B", 1)
        for order in itertools.permutations([first, update, other]):
            assert names(live(order, at(2))) == ["A"]

    def test_what_is_held_can_be_superseded(self, make, at):
        one, other = make("A", 0), make("A", 0, note="other")
        cancel = make("C", 1, MsgType.CANCEL, [one])
        chain = Chain([cancel, one, other])
        assert chain.superseded_at(one.key) == cancel.sent
        assert not chain.unknown

    def test_an_identifier_used_again_is_reported_and_both_stay_in_force(self, make, at):
        first, second = make("A", 0), make("A", 1, note="changed")
        for order in ([first, second], [second, first]):
            chain = Chain(order)
            assert chain.reused == [(first.key, second.key)]
            assert names(chain.live(at(2))) == ["A", "A"]

    def test_the_cancel_of_a_test_does_not_wait_for_a_real_warning(self, make, at):
        never = make("N", 0)
        cancel = make("C", 1, MsgType.CANCEL, [never], status=Status.TEST)
        chain = Chain([cancel])
        assert chain.superseded_at(never.key) is None
        assert [claim.target for claim in chain.unknown] == [never.key]

    def test_a_message_without_expires_holds_as_long_as_it_is_told(self, make, at, info):
        endless = make("A", 0, infos=(info.model_copy(update={"expires": None}),))
        assert names(live([endless], at(100))) == ["A"]
        assert live([endless], at(100), max_age=timedelta(hours=24)) == ()

    def test_a_message_of_tomorrow_is_not_live_today(self, make, at):
        assert live([make("A", 1)], at(0)) == ()
