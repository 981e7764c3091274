"""The warning-release desk: draft, submit, approve, release, update, cancel.

An alert is written (:mod:`compose`) or taken from a message that came in (:mod:`incoming`),
checked and frozen when it is submitted (:mod:`checks`, :mod:`render`, :mod:`freeze`), signed by
as many people as the policy asks for (:mod:`policy`, :mod:`signing`) and released
(:mod:`leaving`). Whom the messages before it reached, an Update is compared with and a Cancel
goes to (:mod:`chain`). Each step is one method of :class:`service.Desk` and one
transaction, which holds the warning's row, moves the alert along the one transition table and
ends with a record in the audit chain. Whatever a person can cause raises
:class:`refused.DeskRefused`; then nothing has changed.

What is frozen at submission is bound by one digest. An approval signs that digest, and a
release recomputes it from the database: a text, target, expiry or plan that changed in between,
by whatever hand, stops there.
"""
