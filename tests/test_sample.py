"""The sample chain: its books are as good as any others, and its owner finds an alarm."""

from core.domain.roles import Member
from core.keys import Keys
from core.sample import build, by_hand
from core.services import alarms, ledger, staff
from core.storage.database import Database
from tests.support.shop import NOW

OWNER = Member(0, "olga", "Olga", "owner", frozenset())


def test_the_books_are_right_and_one_cashier_feeds_a_card(database_url):
    database = Database(database_url)
    database.write_now(build, Keys(Keys.generate()), NOW)
    database.write_now(staff.add, "luka", "Luka", "cashier", ["harats"], "", NOW)
    database.write_now(by_hand.enter, "harats", "luka", NOW)
    assert database.read_now(ledger.prove) == []
    (one,) = database.read_now(alarms.unseen, OWNER)
    assert (one.employee, one.programme) == ("Luka", "HARATS")
    database.close()
