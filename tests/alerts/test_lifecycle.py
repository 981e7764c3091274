from __future__ import annotations

import itertools

import pytest

from gateway.alerts.lifecycle import TRANSITIONS, Action, NotAllowed, State, advance

ENDS = {State.UPDATED, State.CANCELLED, State.WITHDRAWN}


def reachable(state):
    seen, todo = set(), [state]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo.extend(TRANSITIONS[at].values())
    return seen


def test_the_usual_way():
    state = State.DRAFT
    for action in (Action.SUBMIT, Action.APPROVE, Action.RELEASE, Action.CANCEL):
        state = advance(state, action)
    assert state is State.CANCELLED


def test_every_state_is_in_the_table_and_can_be_reached():
    assert set(TRANSITIONS) == set(State)
    assert reachable(State.DRAFT) == set(State)


def test_nothing_follows_an_end():
    assert {state for state, steps in TRANSITIONS.items() if not steps} == ENDS


def test_what_has_expired_may_only_be_extended():
    assert TRANSITIONS[State.EXPIRED] == {Action.UPDATE: State.UPDATED}


def test_only_approved_alerts_are_released():
    assert [state for state, steps in TRANSITIONS.items() if State.RELEASED in steps.values()] == [
        State.APPROVED
    ]


def test_only_submitted_alerts_are_approved():
    assert [state for state, steps in TRANSITIONS.items() if State.APPROVED in steps.values()] == [
        State.SUBMITTED
    ]


@pytest.mark.parametrize("state", [State.SUBMITTED, State.APPROVED])
def test_a_change_voids_what_was_agreed(state):
    assert advance(state, Action.EDIT) is State.DRAFT
    assert advance(state, Action.REJECT) is State.DRAFT


def test_what_has_left_the_desk_is_never_edited():
    with pytest.raises(
        NotAllowed, match="released cannot take the step edit; possible: update, cancel, expire"
    ):
        advance(State.RELEASED, Action.EDIT)


@pytest.mark.parametrize(("state", "action"), list(itertools.product(State, Action)))
def test_each_step_is_taken_or_refused_with_a_sentence(state, action):
    if action in TRANSITIONS[state]:
        assert advance(state, action) is TRANSITIONS[state][action]
    else:
        with pytest.raises(NotAllowed, match=f"an alert that is {state} cannot take the step {action}; "):
            advance(state, action)
