"""Guests brought from elsewhere: what a file may look like, and how a guest gets their points."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from core.keys import Keys
from core.services import cafes, guests, importing, ledger
from core.services.errors import NotPossible
from core.services.importing import BadRows, Imported, claim, import_rows, read_csv
from core.storage.database import Database
from core.storage.tables import event_log, imported_guests, memberships

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = Keys(Keys.generate())
ANA = "+381641234567"

FILE = """phone,name,language,opening balance,cafe
+381641234567,Ana,sr,1200,bife
+79161234567,Иван,ru,85,bife
"""


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    database.write_now(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    yield database
    database.close()


def bring(database: Database, text: str) -> Imported:
    return database.write_now(import_rows, read_csv(text), NOW)


def problems(database: Database, text: str) -> list[tuple[int, str]]:
    with pytest.raises(BadRows) as caught:
        bring(database, text)
    return list(caught.value.problems)


def waiting(database: Database) -> list[tuple]:
    i = imported_guests.c
    query = sa.select(i.phone, i.name, i.language, i.points).order_by(i.id)
    return [tuple(row) for row in database.read_now(lambda tx: tx.execute(query).all())]


def add_guest(database: Database, phone: str | None = None, proven: bool = False) -> int:
    return database.write_now(
        lambda tx: guests.add(
            tx,
            name="Ana",
            language="sr",
            cafe_id=None,
            keys=KEYS,
            now=NOW,
            phone=phone,
            phone_proven=proven,
        )
    )


def balance(database: Database, guest_id: int) -> int:
    return database.read_now(ledger.balance, guest_id, 1)


# -- the file --------------------------------------------------------------------------------------


def test_each_row_waits_for_its_owner(database):
    assert bring(database, FILE) == Imported(added=2, known=0, different=0, claimed=0)
    assert waiting(database) == [
        (ANA, "Ana", "sr", 1200),
        ("+79161234567", "Иван", "ru", 85),
    ]


def test_a_second_run_changes_nothing(database):
    bring(database, FILE)
    before = waiting(database)
    assert bring(database, FILE) == Imported(added=0, known=2, different=0, claimed=0)
    assert waiting(database) == before


def test_a_row_that_changed_since_is_left_as_it_was_and_counted(database):
    bring(database, FILE)
    changed = FILE.replace("1200", "9999") + "+381651111111,Mia,sr,1,bife\n"
    assert bring(database, changed) == Imported(added=1, known=2, different=1, claimed=0)
    assert waiting(database)[0] == (ANA, "Ana", "sr", 1200)


@pytest.mark.parametrize(
    "text",
    [
        f"phone,name,language,balance,cafe\n{ANA},Ana,sr,1200,bife\n",
        f"Phone Number;NAME;Lang;Points;Cafe\r\n{ANA};Ana;SR;1200;BIFE\r\n",
        f"\ufeffcafe\tphone\topening_balance\tname\tlanguage\nbife\t{ANA}\t1200\tAna\tsr-Latn\n",
        f'telefon,ime,jezik,poeni\n"+381 64 123-45-67","  Ana ",sr,1200\n\n,,,\n{""}',
        "phone,name,language,balance\n064 1234567,Ana,sr,1200\n",
        "phone,name,language,balance\n00381641234567,Ana,sr,1200",
    ],
)
def test_columns_spellings_and_separators_are_taken_as_they_come(database, text):
    bring(database, text)
    assert waiting(database) == [(ANA, "Ana", "sr", 1200)]


def test_only_the_phone_is_needed_where_there_is_one_cafe(database):
    bring(database, f"phone\n{ANA}\n")
    assert waiting(database) == [(ANA, "", "en", 0)]


def test_every_bad_row_is_named_and_nothing_is_written(database):
    text = (
        "phone,name,language,balance,cafe\n"
        f"{ANA},Ana,sr,1200,bife\n"
        ",Nobody,sr,1,bife\n"
        "12345,Short,sr,1,bife\n"
        "call me,Words,sr,1,bife\n"
        "+381651111111,German,de,1,bife\n"
        '+381651111112,"Two\nlines",sr,1.5,bife\n'
        "+381651111113,Debt,sr,-5,bife\n"
        "+381651111114,Much,sr,381641234567,bife\n"
        "+381651111115,Elsewhere,sr,1,bifé\n"
        f"00{ANA[1:]},Again,sr,1,bife\n"
        f"+381651111116,{'x' * 2000},sr,1,bife\n"
    )
    assert problems(database, text) == [
        (3, "the phone is missing"),
        (4, "the phone is no number: write it with its country, such as +381…"),
        (5, "the phone is no number: write it with its country, such as +381…"),
        (6, 'language "de" is none of en, sr, ru'),
        (7, 'balance "1.5" is no whole number, such as 1200'),
        (9, 'balance "-5" is no whole number, such as 1200'),
        (10, f"balance 381641234567 is more than {importing.MOST_POINTS}"),
        (11, 'there is no cafe "bifé" (there are: bife)'),
        (12, "the same phone and cafe as in line 2"),
        (13, "the name is too long or has nothing to read"),
    ]
    assert waiting(database) == []


def test_with_two_cafes_each_row_names_its_own(database):
    database.write_now(cafes.add, "dorcol", "Dorćol", "RSD", "Europe/Belgrade", NOW)
    text = f"phone,cafe\n{ANA},\n"
    assert problems(database, text) == [(2, "the cafe is missing (there are: bife, dorcol)")]
    both = bring(database, f"phone,cafe,points\n{ANA},bife,1\n{ANA},dorćol,2\n")
    assert both.added == 2


def test_a_row_of_another_length_is_named(database):
    assert problems(database, f"phone,name\n{ANA},Ana,sr\n") == [(2, "3 columns instead of 2")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line must name the columns"),
        (f"{ANA},Ana,sr,1200,bife\n", 'column "+381641234567" is none of phone, name'),
        ("name,language\nAna,sr\n", "a phone column among them"),
        ("phone,mobile\n1,2\n", "there are two columns for phone"),
        ('phone\n"+3816', "line 2 is no CSV"),
    ],
)
def test_a_file_that_is_none_is_refused(text, says):
    with pytest.raises(NotPossible) as caught:
        read_csv(text)
    assert says in str(caught.value)


# -- the claim -------------------------------------------------------------------------------------


def test_a_proven_phone_brings_the_opening_balance_once(database):
    bring(database, FILE)
    guest_id = add_guest(database)
    claimed = database.write_now(claim, guest_id, ANA, NOW)
    assert [tuple(one)[:2] for one in claimed] == [("BIFE", 1200)]
    assert balance(database, guest_id) == 1200
    assert database.write_now(claim, guest_id, ANA, NOW) == []
    assert database.write_now(claim, add_guest(database), ANA, NOW) == []
    assert balance(database, guest_id) == 1200


def test_the_claim_is_an_entry_of_the_ledger_with_its_import_s_name(database):
    bring(database, FILE)
    guest_id = add_guest(database)
    database.write_now(claim, guest_id, ANA, NOW)
    (entry,) = database.read_now(ledger.last_entries, guest_id, 1)
    assert (entry.kind, entry.points, entry.balance) == ("opening", 1200, 1200)
    assert database.read_now(ledger.prove) == []


def test_who_claims_is_a_guest_of_that_cafe_from_then_on(database):
    bring(database, FILE)
    guest_id = add_guest(database)
    database.write_now(claim, guest_id, ANA, NOW)
    query = sa.select(memberships.c.cafe_id).where(memberships.c.guest_id == guest_id)
    assert database.read_now(lambda tx: tx.scalar(query)) == 1


def test_a_balance_of_nothing_is_claimed_without_an_entry(database):
    bring(database, f"phone\n{ANA}\n")
    guest_id = add_guest(database)
    assert len(database.write_now(claim, guest_id, ANA, NOW)) == 1
    assert database.read_now(ledger.last_entries, guest_id, 1) == []


def test_who_has_proven_the_number_before_need_not_wait(database):
    guest_id = add_guest(database, phone=ANA, proven=True)
    assert bring(database, FILE) == Imported(added=2, known=0, different=0, claimed=1)
    assert balance(database, guest_id) == 1200
    assert bring(database, FILE) == Imported(added=0, known=2, different=0, claimed=0)
    assert balance(database, guest_id) == 1200


def test_a_phone_that_was_only_typed_claims_nothing(database):
    guest_id = add_guest(database, phone=ANA, proven=False)
    assert bring(database, FILE).claimed == 0
    assert balance(database, guest_id) == 0


def test_the_event_log_tells_of_it_without_a_phone_number(database):
    bring(database, FILE)
    database.write_now(claim, add_guest(database), ANA, NOW)
    query = sa.select(event_log.c.kind, event_log.c.data).order_by(event_log.c.id)
    logged = [tuple(row) for row in database.read_now(lambda tx: tx.execute(query).all())]
    assert logged == [
        ("cafe_added", {}),
        ("guests_imported", {"added": 2, "claimed": 0}),
        ("import_claimed", {"points": 1200}),
    ]
