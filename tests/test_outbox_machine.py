"""The outbox against a model of it: whatever providers and kills do, nothing is lost, order holds,
statuses only climb, and only what may have left twice leaves twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from core.contract import Outbound, Receipt
from core.keys import Keys
from core.outbox import outcomes
from core.outbox.claim import CLAIM, Claimed, Office, claim, lapse, prepare
from core.services import messages, receipts
from core.services.messages import LANES
from core.services.receipts import LADDER
from core.storage.database import Database
from core.storage.tables import contacts
from core.storage.tables import messages as rows

GUESTS = ["ana", "boris", "zoe"]
CHANNELS = count()
KEYS = Keys(Keys.generate())
RANK = {status: n for n, status in enumerate(LADDER)} | {"expired": 9, "cancelled": 9}


@dataclass
class Known:
    """What the model knows of a message; `left`: how often a provider may have taken it."""

    guest: str
    lane: int
    status: str = "queued"
    left: int = 0
    uncertain: bool = False


@dataclass
class Flight:
    """A claim in the air. A `ghost`'s node is gone or slow: its claim has lapsed."""

    row: Claimed
    left: bool = False
    ghost: bool = False
    known: dict = field(default_factory=dict)


class OutboxMachine(RuleBasedStateMachine):
    database: Database

    def __init__(self):
        super().__init__()
        self.channel = f"chat {next(CHANNELS)}"
        self.office = Office(self.channel, stores=False, keys=KEYS, public_url="http://here")
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
        self.model: dict[int, Known] = {}
        self.air: list[Flight] = []
        self.gone: set[str] = set()
        self.contacts = {guest: self.write(self.add, guest) for guest in GUESTS}
        self.guest_of = {contact: guest for guest, contact in self.contacts.items()}

    def write(self, fn, *args, **more):
        return self.database.write_now(fn, *args, **more)

    def add(self, tx, guest):
        values = {"channel": self.channel, "address": guest, "stored": 0, "created_at": self.now}
        return tx.scalar(sa.insert(contacts).values(**values).returning(contacts.c.id))

    # -- what happens -------------------------------------------------------------------------

    @rule(guest=st.sampled_from(GUESTS), lane=st.sampled_from(LANES), later=st.integers(0, 30))
    def put(self, guest, lane, later):
        id_ = self.write(
            messages.put,
            contact_id=self.contacts[guest],
            channel=self.channel,
            lane=lane,
            kind="reply",
            body=messages.to_json(Outbound(text="hello")),
            now=self.now,
            due_at=self.now + timedelta(seconds=later),
        )
        self.model[id_] = Known(guest, lane)

    @rule(room=st.integers(1, 4), bulk=st.integers(0, 3))
    def claim(self, room, bulk):
        def take(tx):
            claimed, _ = claim(tx, self.channel, room, min(bulk, room), self.now)
            return claimed, [ready.row for ready in prepare(tx, claimed, self.office, self.now)]

        claimed, ready = self.write(take)
        assert len(claimed) <= room
        assert sum(row.lane > 0 for row in claimed) <= bulk
        for row in ready:
            assert row.address == self.model[row.id].guest
            assert row.address not in self.gone, "nothing goes to who is gone"
            older = [
                id_
                for id_, known in self.model.items()
                if id_ < row.id
                and (known.guest, known.lane) == (row.address, row.lane)
                and self.status(id_) in ("queued", "sending")
            ]
            assert not older, "order is kept per guest and lane"
            self.air.append(Flight(row))

    @rule(data=st.data())
    def leaves(self, data):
        """The provider takes the message; whether we hear of it is another matter."""
        if waiting := [flight for flight in self.air if not flight.left]:
            flight = data.draw(st.sampled_from(waiting))
            flight.left = True
            self.model[flight.row.id].left += 1

    @rule(data=st.data(), wait=st.floats(0.1, 3600), uncertain=st.booleans(), gone=st.booleans())
    def lands(self, data, wait, uncertain, gone):
        """What became of one send is written down."""
        if not self.air:
            return
        flight = self.air.pop(data.draw(st.integers(0, len(self.air) - 1)))
        row = flight.row
        if flight.left and not uncertain:
            outcome = outcomes.Sent(row, f"p{row.id}")
        elif gone and not flight.left:
            outcome = outcomes.Failed(row, "403", gone=True)
            self.gone.add(row.address)
        else:
            due = self.now + timedelta(seconds=wait)
            outcome = outcomes.Again(row, due, "time-out", uncertain=flight.left)
        self.write(outcomes.write, self.channel, [outcome], self.now)
        if outcome == outcomes.Failed(row, "403", gone=True):
            assert not [
                i for i, k in self.model.items() if k.guest == row.address and self.is_queued(i)
            ]

    @rule(status=st.sampled_from(["sent", "delivered", "read", "failed"]), data=st.data())
    def receipt(self, status, data):
        """Of any message, sent or not yet: it may be early."""
        if left := [id_ for id_, known in self.model.items() if known.left]:
            id_ = data.draw(st.sampled_from(left))
            receipt = Receipt(event_id="e", provider_id=f"p{id_}", status=status)
            self.write(receipts.take, self.channel, receipt, self.now)

    @rule()
    def kill(self):
        """All that is in the air is forgotten; the next node takes the channel over."""
        self.write(lapse, self.channel, self.now, [], all_=True)
        for flight in self.air:
            flight.ghost = True

    @rule()
    def a_slow_node_lets_its_claims_lapse(self):
        self.now += CLAIM
        self.write(lapse, self.channel, self.now, [], all_=False)
        for flight in self.air:
            flight.ghost = True

    @rule(seconds=st.sampled_from([1, 30, 3600, 12 * 3600]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(guest=st.sampled_from(GUESTS))
    def comes_back(self, guest):
        self.gone.discard(guest)
        back = sa.update(contacts).where(contacts.c.id == self.contacts[guest])
        self.write(lambda tx: tx.execute(back.values(gone_at=None)).rowcount)

    # -- what always holds --------------------------------------------------------------------

    def rows(self):
        def look(tx):
            found = tx.execute(sa.select(rows).where(rows.c.channel == self.channel))
            return {row.id: row for row in found}

        return self.database.read_now(look)

    def status(self, id_):
        return self.rows()[id_].status

    def is_queued(self, id_):
        return self.status(id_) == "queued"

    @invariant()
    def statuses_only_climb_and_nothing_is_lost(self):
        found = self.rows()
        assert found.keys() == self.model.keys()
        for id_, known in self.model.items():
            status = found[id_].status
            back = known.status == "sending" and status == "queued"
            assert back or RANK[status] >= RANK[known.status], (known.status, status)
            known.status = status
            known.uncertain |= found[id_].uncertain
            assert known.uncertain == found[id_].uncertain

    @invariant()
    def what_left_twice_is_marked_uncertain(self):
        for id_, row in self.rows().items():
            if self.model[id_].left > 1:
                assert row.uncertain

    @invariant()
    def of_a_guests_lane_one_claim_is_in_the_air(self):
        flying = [(f.row.contact_id, f.row.lane) for f in self.air if not f.ghost]
        assert len(flying) == len(set(flying))

    def teardown(self):
        """The provider is well again: all that is due leaves, or is given up after its day."""
        self.kill()
        for _ in range(3 * len(self.model) + 3):
            self.now += timedelta(hours=1)
            self.air.clear()
            self.claim(room=100, bulk=100)
            for flight in self.air:
                flight.left = True
                self.model[flight.row.id].left += 1
            sent = [outcomes.Sent(flight.row, f"p{flight.row.id}") for flight in self.air]
            self.write(outcomes.write, self.channel, sent, self.now)
        for id_, row in self.rows().items():
            assert row.status not in ("queued", "sending")
            if row.status in ("sent", "delivered", "read"):
                assert self.model[id_].left >= 1


def test_the_outbox_holds_what_it_promises(database_url):
    database = Database(database_url)
    machine = type("OnThisDatabase", (OutboxMachine,), {"database": database})
    few = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=few)
    finally:
        database.close()
