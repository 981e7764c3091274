"""Who must agree before a warning leaves the desk: ``config/approval.toml``."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

Step = Literal[
    "draft",
    "approve",
    "release",
    "cancel",
    "contacts",
    "reveal",
    "operate",
    "administer",
    "audit",
    "see",
    "lead",
]
"""What a role may give the right to."""

Colour = Literal["blue", "yellow", "orange", "red"]


class PolicyError(ValueError):
    """The policy file cannot be used; the text names the file and the entry."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Approvers(_Strict):
    """Distinct approvers needed for each colour level."""

    blue: PositiveInt
    yellow: PositiveInt
    orange: PositiveInt
    red: PositiveInt


class CancelRule(_Strict):
    """What taking a warning back needs."""

    approvers: NonNegativeInt = 1
    release_on_approval: bool = True


class Roles(_Strict):
    """Roles that may take each step."""

    draft: frozenset[str] = frozenset({"author"})
    approve: frozenset[str] = Field(default=frozenset({"approver"}), min_length=1)
    release: frozenset[str] = Field(default=frozenset({"releaser", "approver"}), min_length=1)
    cancel: frozenset[str] = Field(default=frozenset({"author", "approver", "releaser"}), min_length=1)
    contacts: frozenset[str] = frozenset({"registrar", "administrator"})
    """Contacts, groups and regions, with their imports; phone numbers stay masked."""
    reveal: frozenset[str] = frozenset({"registrar"})
    """See a phone number or address whole, which is logged."""
    operate: frozenset[str] = frozenset({"releaser", "administrator"})
    """Turn routes and sources off and on, send test messages, start and end drills."""
    administer: frozenset[str] = Field(default=frozenset({"administrator"}), min_length=1)
    """People, rights, authorisations, deputies, keys."""
    audit: frozenset[str] = frozenset({"auditor", "administrator"})
    """Read, verify and export the audit log."""
    see: frozenset[str] = frozenset(
        {"author", "approver", "releaser", "registrar", "administrator", "auditor"}
    )
    """Read what the desk does."""
    lead: frozenset[str] = frozenset({"leader"})
    """Read the leader's page; whoever may see the desk may read that as well."""


class Crowd(_Strict):
    """Above so many recipients, so many further approvers."""

    above: PositiveInt
    further: PositiveInt = 1


class Usual(_Strict):
    """When a warning goes to unusually many, and what it takes then; a Cancel is never asked for more.

    What counts as usual is told in :mod:`gateway.desk.unusual`.
    """

    times: NonNegativeInt = 20
    """More people than so many times the median of earlier warnings are unusual; 0 compares with none."""
    further: PositiveInt = 1
    """Approvers on top of those that level and crowd take; place and number are typed, too."""
    least: PositiveInt = 5
    """Earlier warnings that it takes to know what is usual; with fewer of them nothing is compared."""
    floor: NonNegativeInt = 1_000
    """A warning for fewer people than this is never unusual."""
    everybody: bool = True
    """Whether a warning for all who can be reached, in more than one township, is unusual as long as no
    earlier one went to half as many."""


class Confirm(_Strict):
    """What the console asks for before it takes a signature or sends; a Cancel never has to be typed."""

    code: frozenset[Colour] = frozenset({"red", "orange"})
    """Levels for which the second factor is given anew."""
    typed: frozenset[Colour] = frozenset({"red"})
    """Levels for which the place and the number of people are typed."""
    above: NonNegativeInt = 50_000
    """They are typed at any level for more people than this, and for unusually many (:class:`Usual`)."""


class Escalation(_Strict):
    """Seconds after which the next approver is asked where nobody signs; 0 asks nobody further.

    After as many an alarm says that nobody sends what is approved; that is never turned off.
    """

    red: NonNegativeFloat = 180
    orange: NonNegativeFloat = 180
    yellow: NonNegativeFloat = 600
    blue: NonNegativeFloat = 1800

    def seconds(self) -> dict[str, float]:
        """Return the seconds by level."""
        return {level: getattr(self, level) for level in type(self).model_fields}

    def until_sent(self) -> dict[str, float]:
        """Return the seconds by level that an approved alert waits before an alarm; those of 0 are ours."""
        return {
            level: seconds or float(type(self).model_fields[level].default)
            for level, seconds in self.seconds().items()
        }


class Emergency(_Strict):
    """When one person may send alone, and how soon another one signs afterwards."""

    levels: frozenset[Colour] = frozenset()
    """Empty: never."""
    cosign_minutes: PositiveFloat = 30


class Authorisations(_Strict):
    """Whose signature takes an authorisation of the unit: hazard, highest level, region, validity."""

    required: bool = False
    """Whether people without a unit may sign nothing; without this they may sign everything."""


class Policy(_Strict):
    """The approval policy of one desk."""

    approvers: Approvers
    cancel: CancelRule = CancelRule()
    roles: Roles = Roles()
    authorisations: Authorisations = Authorisations()
    crowd: tuple[Crowd, ...] = ()
    usual: Usual = Usual()
    confirm: Confirm = Confirm()
    escalation: Escalation = Escalation()
    emergency: Emergency = Emergency()

    @property
    def known_roles(self) -> frozenset[str]:
        """The roles that a person may have: each that gives a right, and the auditor, who only reads."""
        given = (getattr(self.roles, name) for name in Roles.model_fields)
        return frozenset[str]().union(*given) | {"auditor"}

    def needed(self, level: str, msg_type: str, count: int, further: int = 0) -> int:
        """Return how many distinct approvers an alert for ``count`` recipients needs.

        ``further`` are those that an unusual number of people takes. A Cancel needs no further ones
        for its crowd: it goes to whom the warning went.
        """
        if msg_type == "Cancel":
            return self.cancel.approvers
        base: int = getattr(self.approvers, level)
        return base + further + sum(limit.further for limit in self.crowd if count > limit.above)

    def allows(self, step: Step, roles: Collection[str]) -> bool:
        """Return whether a person with these roles may take the step."""
        return not getattr(self.roles, step).isdisjoint(roles)


def load_policy(path: Path) -> Policy:
    """Read the policy; raises :class:`PolicyError` with the file and the entry to mend."""
    try:
        return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PolicyError(f"{path}: {place}: {first['msg']}") from None
