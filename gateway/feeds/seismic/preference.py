"""Which solution of an event counts, and who says the same. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.feeds.seismic.association import score, voices

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.feeds.seismic.settings import Association, Preference
    from gateway.feeds.seismic.versions import Known


def live(solutions: Collection[Known]) -> list[Known]:
    """Return the solutions that stand: neither withdrawn nor replaced by another one of their source."""
    return [one for one in voices(solutions) if not one.withdrawn]


def preferred(solutions: Collection[Known], preference: Preference) -> Known | None:
    """Return the solution that counts; ``None`` where none of those that stand has place, time and magnitude.

    Official before unofficial, reviewed before automatic, an agency inside its own region, the order of the
    file, a moment magnitude, and of equals the newest.
    """
    usable = [one for one in live(solutions) if one.point and one.time and one.magnitude is not None]
    return min(usable, key=lambda one: _rank(one, preference), default=None)


def _rank(one: Known, preference: Preference) -> tuple[object, ...]:
    lat, lon = one.point or (0.0, 0.0)
    order = preference.agencies
    return (
        not one.official,
        one.review != "reviewed",
        not any(area.agency == one.agency and area.holds(lat, lon) for area in preference.local),
        order.index(one.agency) if one.agency in order else len(order),
        not one.magnitude_type.lower().startswith("mw"),
        -one.stamp.timestamp(),
        one.key,
    )


def agreeing(
    solutions: Collection[Known], chosen: Known, limits: Association, preference: Preference
) -> tuple[str, ...]:
    """Return the agencies that say the same as the preferred solution, independently of it.

    Independent is what another agency computed and another source brought: what one source got wrong, it
    got wrong for all its agencies. An unofficial source confirms nothing, and nor does a solution without a
    magnitude or of something else than an earthquake.
    """
    return tuple(
        sorted(
            {
                one.agency
                for one in live(solutions)
                if one.official
                and one.agency
                and one.agency != chosen.agency
                and one.key.source != chosen.key.source
                and one.event_type in preference.event_types
                and one.magnitude is not None
                and score(one, chosen, limits) is not None
            }
        )
    )
