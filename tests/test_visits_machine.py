"""Visits as intervals: guests come and go at two tills, orders arrive on time, late and named."""

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.shop import Shop

tills = st.sampled_from(["bar", "door"])
guests = st.sampled_from([0, 1, 2])
LATE = st.none() | st.integers(0, 40)  # minutes between payment and arrival; None: never told


class Stay:
    """A visit in the model: whose, where, since which minute."""

    def __init__(self, guest: int, till: str, minute: int, name: str) -> None:
        self.guest, self.till, self.minute, self.name = guest, till, minute, name
        self.taken = False


class VisitMachine(RuleBasedStateMachine):
    """Each run is one transaction that is never committed; the clock counts minutes."""

    database: Database

    @initialize()
    def open(self) -> None:
        self.connection = self.database.writer_engine.connect()
        self.transaction = self.connection.begin()
        self.shop, self.minute, self.orders = Shop(Tx(self.connection)), 0, 0
        self.guests = [self.shop.guest(name) for name in ("Ana", "Bob", "Eve")]
        self.stays: list[Stay] = []

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.transaction.rollback()
            self.connection.close()

    @rule(minutes=st.integers(1, 20))
    def time_passes(self, minutes: int) -> None:
        self.minute += minutes

    @rule(guest=guests, till=tills)
    def identify(self, guest: int, till: str) -> None:
        visit = self.shop.visit(self.guests[guest], self.minute, getattr(self.shop, till))
        assert visit.ends_at - visit.opened_at == timedelta(minutes=15)
        self.stays.append(Stay(guest, till, self.minute, visit.public_id))

    @rule(till=tills, late=LATE)
    def order(self, till: str, late: int | None) -> None:
        """Belongs to the visit that its till had when it was paid, the first such order."""
        paid = None if late is None else self.minute - late
        stay = self.there(till, self.minute if paid is None else paid)
        if stay is not None and stay.taken:
            stay = None
        assert self.owner_of(till=getattr(self.shop, till), paid=paid) == stay
        if stay is not None:
            stay.taken = True

    @precondition(lambda self: self.stays)
    @rule(till=tills, late=LATE, data=st.data())
    def order_that_names_its_visit(self, till: str, late: int | None, data: st.DataObject) -> None:
        """Belongs to it if it was paid within 15 minutes of identify, whoever came since."""
        stay = data.draw(st.sampled_from(self.stays[-4:]))
        paid = None if late is None else self.minute - late
        in_time = abs((self.minute if paid is None else paid) - stay.minute) <= 15
        found = self.owner_of(till=getattr(self.shop, till), paid=paid, visit=stay.name)
        assert found == (stay if in_time else None)

    def there(self, till: str, minute: int) -> Stay | None:
        """Whoever was identified there last, unless that is a quarter of an hour ago."""
        before = [stay for stay in self.stays if stay.till == till and stay.minute <= minute]
        return before[-1] if before and minute < before[-1].minute + 15 else None

    def owner_of(self, **order: object) -> Stay | None:
        """Counts an order; the stay that it was counted for."""
        self.orders += 1
        order_id = str(self.orders)
        self.shop.order(order_id, minute=self.minute, **order)
        visit, guest = self.shop.visit_of(order_id), self.shop.owner(order_id)
        stay = next((stay for stay in self.stays if stay.name == visit), None)
        assert guest == (None if stay is None else self.guests[stay.guest])
        return stay


def test_visits_are_the_models_intervals(database_url):
    database = Database(database_url)
    machine = type("Machine", (VisitMachine,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=120 if database.is_sqlite else 10,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    database.close()
