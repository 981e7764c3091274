"""Who was reached: a release's coverage, measured from its rows.

The definitions (口径), which every report prints beside its figures:

- People are counted once, however many channels a release used for them; *intended* is the
  target list frozen at release. Channels are counted in deliveries.
- Columns are cumulative proof: *accepted* means accepted or better, *delivered* means a
  delivery report, a reading or a confirmation. *Failed* is refused, expired, suppressed or
  without any address. Accepted, unknown, failed and pending add up to intended, to the unit.
- Unknown is never counted as delivered, and what a channel merely took (a webhook's 200,
  SMTP's 250) stays accepted.
- A person's standing is the best of the person's deliveries.
- A village is covered with one confirmed responsible person or informant, or one device that
  reported done. Villages are those that the target list has anybody in.
- Times run from the release to our receiving the proof.

:func:`coverage` measures, ``render_text``, ``render_html`` and ``render_csv`` show, and
:func:`recount` compares the running counters with the rows.
"""

from gateway.coverage.measure import Difference, ReleaseUnknown, coverage, recount
from gateway.coverage.model import Coverage, Share, Tally
from gateway.coverage.page import render_html
from gateway.coverage.sheet import render_csv
from gateway.coverage.table import render_text
from gateway.coverage.words import LANGUAGES

__all__ = [
    "LANGUAGES",
    "Coverage",
    "Difference",
    "ReleaseUnknown",
    "Share",
    "Tally",
    "coverage",
    "recount",
    "render_csv",
    "render_html",
    "render_text",
]
