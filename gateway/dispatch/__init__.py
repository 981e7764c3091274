"""OUT: a release becomes messages in providers' hands, and nothing is lost, doubled or late.

Read this at night before you touch anything. The machine has five parts, in the order in which
a warning meets them; each names the table where you can look at what it did.

**1. Planning** (:mod:`~gateway.dispatch.plan`, tables ``releases``, ``deliveries``, ``batches``,
``outbox``). The desk's release is one transaction. It writes one row in ``deliveries`` for each
(recipient, channel), responsible persons first, cuts each channel's deliveries into batches
that take about two seconds at the channel's contract rate, and writes one ``outbox`` row for
each batch. Either all of that is there or none of it. Text, recipients, expiry and plan are
frozen: nothing later in this chapter reads a contact or a template.

**2. The doorbell** (:mod:`~gateway.dispatch.queues`, :mod:`~gateway.dispatch.reconciler`).
The relay hears the commit (LISTEN), rings RQ with the batch's number on the queue
``{channel}.{lane}`` and deletes the outbox row. Redis holds nothing but such numbers. Flush it
in mid-release: within ``dispatch.reconcile_seconds`` the reconciler sees batches that
are due and wait in no queue and rings again. A bell rung twice does no harm, because taking a
batch is a compare-and-set. While Redis is away workers look
into the table themselves for batches that are late, and each keeps to its share of the rate.

**3. The worker** (:mod:`~gateway.dispatch.engine`, :mod:`~gateway.dispatch.run`). One process
serves one queue. Its main thread is RQ's; its second thread runs one event loop that owns the
channel's sessions for the life of the process. A job only hands its batch over, so while one
batch is being sent the next is fetched. The loop **leases** the batch (``batches.token`` rises,
``lease_until`` is set by the database's clock), reads its deliveries and encodes the release's
texts once. Then, slice by slice of at most one window, it

* waits for the contract's rate (:mod:`~gateway.dispatch.limits`), counted in parts, shared by
  all workers through Redis;
* waits until no more than two windows are in doubt;
* **claims** the slice: one statement checks the token, the lease, the release's state and its
  expiry, and moves the rows ``planned -> submitting`` with ``copies + 1``; it is committed
  before a byte leaves. Who holds a stale token changes no row and stops;
* hands the slice to the channel, which answers for each message.

Twice a second the run renews its lease and looks at its release and at the switch of its route.
Just before a message is written the channel asks the run's **gate**, which is open only while such
a look is fresh (1.5 s) and the warning has not expired. So once a release is stopped, expired or
lost nothing more is claimed and nothing that waits in the channel leaves, not even from a worker
that was frozen in between: it comes back as *held*, which is surely not sent. What was written and
has no answer a moment later counts as unknown. A route that people turned off (table ``switches``)
ends a run in the same way, but what was written keeps its time to be answered, and the batch stays
open: no worker can lease it and nobody rings for it until the route is on again. Whether it is on
is asked in the statements that lease, claim and renew, so a worker that cannot read it sends
nothing.

**4. The ledger** (:mod:`gateway.receipts.ledger`, tables ``attempts``, ``receipts``,
``counters``). Outcomes and receipts are appended (COPY) and projected on the deliveries in one
transaction for all that gathered meanwhile. States are numbers that only rise
(:class:`channels.base.Proof`): a late, early or doubled fact changes nothing it should not.
Only then is a provider's receipt acknowledged.

What an outcome means: *accepted* waits for a receipt; *rejected* is final; *retry* and
*throttled* surely did not leave, so the row goes back to ``planned``, the copy is taken back,
and the batch is due again after the provider's wish; *unknown* may have arrived. An unknown of
an orange or red warning is sent once more (the provider sees the same reference where it has
one), any other stays ``unknown``, which is never counted as delivered. ``copies <= 2`` is a
constraint of the table, so nobody gets a third copy whatever happens. Going back to
``planned`` is the one step down: a new try after a refusal or a lost answer. From ``accepted``
on nothing goes back.

**5. The reconciler** (:mod:`~gateway.dispatch.reconciler`). Any number of copies; each sweep
locks the rows it takes. It opens batches whose lease ran out (worker killed, frozen, cut off),
after writing what was in doubt into the ledger; closes what has expired or was superseded;
matches receipts that came before their attempt (``parked_receipts``); closes releases that
nothing is on its way for.

**Lanes.** Orange, red and every Cancel go to ``urgent``, the rest to ``normal``, drills to
``drill`` with credentials of their own. Each lane has worker processes of its own, so a red
warning never waits behind a blue one for a worker. They share the contract's rate, and the urgent
lane goes first: while one of its workers has a turn, the normal lane takes none.

**When something is stuck**, ask in this order. Is the route turned off (``switches``)? Then people
wanted it so. Is the batch ``open`` and due? Then a bell is missing: is ``tongda reconcile``
running, does Redis answer? Is it ``leased`` and ``lease_until`` moves? Then a worker holds it: look
at that worker's log for the channel's words. Are deliveries in ``submitting`` for longer than the
lease? Then no reconciler runs. ``planned`` in a leased batch? The rate or the window holds them
back. ``crashes`` of a batch at three or more means that it kills its workers; the log says
``alarm``.
"""
