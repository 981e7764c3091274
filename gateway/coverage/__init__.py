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
  reported done. Villages are those of the warned area, known people in them or not, and those
  that the target list has anybody in.
- Times run from the release to our receiving the proof.
- Attempts accepted (发送成功率) is asked of the ledger: every try counts, a throttled, repeated or
  unanswered one too; the parts of a message are one try. A try still open is in no figure.
- The time at the desk (审批用时) is drafting (first draft to the last submission), review
  (submission to each approver's signature), signing (enough signatures to the release) and the
  whole. A Cancel lies prepared, so it is measured from its submission.
- Devices on line (设备在线率) are those whose last word before the report was "on line", of the
  devices of the target list. One that was never heard of is silent and not on line.

What is asked for and cannot be answered yet, and what is missing for it:

======================  ======================================================================
收到 → 录入             When a message came in: no feed keeps it. A CAP file is drafted in the
                        moment it is handed over.
审批用时, several       Median and maximum are those of one release, over its approvers; those of
                        a month need a report on more than one release.
叫应率: ≥ 20 s heard,   No channel speaks to a person. A reply and the confirm link are what
read-back by radio      confirms; a loudspeaker's "done" is a delivery.
及时率 by level         Limits of red only are laid down; every level is measured by them.
设备在线率: N minutes   Terminals send no heartbeat to us: their broker watches them and tells
                        when one is gone (last will), so a word holds until the next one.
                        Whatever is installed outside the target list is not counted.
首发/解除 counts        Numbers of warnings issued, without drills and Cancels: a report is on one
                        release, with its related ones in rows of their own.
抽查合格率, 零报告及    No roster, spot check or daily report is held (the room ``duty``).
时率, 漏报/迟报数
======================  ======================================================================

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
