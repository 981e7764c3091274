"""The life of an alert at the desk, as one table.

``draft`` is being written, ``submitted`` waits for its approvers, ``approved`` may be released, ``released``
has left the desk. ``updated`` and ``cancelled`` mean that another alert of ours took its place;
``expired`` that its validity ended before anything else; ``withdrawn`` that it was given up before release.
What was never released does not expire by itself, save a Cancel that nobody needed: its author gives it a
later end or withdraws it. An alert that has expired may still be followed by an Update, for an extension
that was approved too late.
Any change to the content of a submitted or approved alert is an ``edit``: back to draft, approvals void.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an alert is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RELEASED = "released"
    UPDATED = "updated"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Action(StrEnum):
    """What somebody, or the clock, does to it."""

    EDIT = "edit"
    SUBMIT = "submit"
    APPROVE = "approve"
    """The last approval that the policy asks for; earlier ones leave the alert submitted."""
    REJECT = "reject"
    WITHDRAW = "withdraw"
    RELEASE = "release"
    UPDATE = "update"
    CANCEL = "cancel"
    EXPIRE = "expire"


TRANSITIONS: dict[State, dict[Action, State]] = {
    State.DRAFT: {
        Action.EDIT: State.DRAFT,
        Action.SUBMIT: State.SUBMITTED,
        Action.WITHDRAW: State.WITHDRAWN,
        Action.EXPIRE: State.EXPIRED,
    },
    State.SUBMITTED: {
        Action.EDIT: State.DRAFT,
        Action.APPROVE: State.APPROVED,
        Action.REJECT: State.DRAFT,
        Action.WITHDRAW: State.WITHDRAWN,
        Action.EXPIRE: State.EXPIRED,
    },
    State.APPROVED: {
        Action.EDIT: State.DRAFT,
        Action.REJECT: State.DRAFT,
        Action.RELEASE: State.RELEASED,
        Action.WITHDRAW: State.WITHDRAWN,
        Action.EXPIRE: State.EXPIRED,
    },
    State.RELEASED: {
        Action.UPDATE: State.UPDATED,
        Action.CANCEL: State.CANCELLED,
        Action.EXPIRE: State.EXPIRED,
    },
    State.UPDATED: {},
    State.CANCELLED: {},
    State.EXPIRED: {
        Action.UPDATE: State.UPDATED,
    },
    State.WITHDRAWN: {},
}
"""State -> action -> state. What is not in the table cannot be done."""


class NotAllowed(ValueError):
    """The action is not possible in this state; the text says which ones are."""


def advance(state: State, action: Action) -> State:
    """The state after an action.

    Raises:
        NotAllowed: The table has no such step.
    """
    steps = TRANSITIONS[state]
    if action in steps:
        return steps[action]
    rest = f"possible: {', '.join(steps)}" if steps else "nothing can be done to it any more"
    raise NotAllowed(f"an alert that is {state} cannot take the step {action}; {rest}")
