"""A guest looked up at the till: by whom, in which cafe, and how little it takes."""

import pytest
import sqlalchemy as sa

from core.services import guests, lookup, visits
from core.services.errors import Missing, Rejected
from core.services.linking import merge
from core.services.privacy import erase
from core.storage import tables
from tests.support.counter import Counter
from tests.support.shop import NOW


@pytest.fixture
def shop(tx):
    return Counter(tx)


@pytest.fixture
def cica(shop):
    return shop.seat()


@pytest.fixture
def ana(shop):
    ana = shop.guest("Ana Petrović", phone="+381601234567")
    guests.change(shop.tx, ana, "email", "Ana.P@example.com")
    return ana


def names(shop, by, text):
    return [match.name for match in lookup.find(shop.tx, by, text, NOW).matches]


@pytest.mark.usefixtures("ana")
@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("4567", "phone"),
        ("123-4567", "phone"),
        ("060 123 4567", "phone"),
        ("+381 60 1234567", "phone"),
        ("00381601234567", "phone"),
        ("ana.p@exam", "email"),
        ("ana", "name"),
        ("ANA PET", "name"),
        ("petrović", "name"),
        ("  Ana   P ", "name"),
    ],
)
def test_a_guest_is_found_by_the_end_of_the_phone_the_e_mail_or_a_word_of_the_name(
    shop, cica, text, how
):
    shop.guest("Joana", phone="+381609876543")
    found = lookup.find(shop.tx, cica, text, NOW)
    assert (found.how, [match.name for match in found.matches]) == (how, ["Ana Petrović"])


@pytest.mark.usefixtures("ana")
@pytest.mark.parametrize("text", ["0000", "000000000", "12345", "%%", "_na", "a%", "x@", "nobody"])
def test_what_fits_nobody_finds_nobody(shop, cica, text):
    assert names(shop, cica, text) == []


@pytest.mark.parametrize(
    "text", ["zarko", "ŽARKO DJU", "djuric", "đurić", "DJURIĆ", "Đuric", "Žarko D"]
)
def test_latin_letters_are_found_with_their_marks_and_without(shop, cica, text):
    shop.guest("Žarko Đurić")
    shop.guest("Zorica Djukić")
    assert names(shop, cica, text) == ["Žarko Đurić"]


def test_cyrillic_is_found_in_any_case(shop, cica):
    shop.guest("Анна Ивановна")
    for text in ("анна", "АННА ИВ", "иван"):
        assert names(shop, cica, text) == ["Анна Ивановна"]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("Ана Петровић", ("Ana", "ana petrovic", "Petrović Ana")),
        ("Жељко", ("Zeljko", "Željko", "zh")),
        ("Đorđe", ("Djordje", "Ђорђе", "Dorde")),
        ("Юлия", ("Yuliya", "Julija", "julia")),
        ("Mikhail", ("Михаил", "mihai")),
    ],
)
def test_scripts_and_spellings_find_each_other(shop, cica, name, texts):
    shop.guest(name)
    shop.guest("Somebody Else")
    assert [names(shop, cica, text) for text in texts] == [[name]] * len(texts)


def test_a_guest_is_found_by_the_name_that_they_have_now(shop, cica, ana):
    guests.change(shop.tx, ana, "name", "Јасна")
    assert names(shop, cica, "ana petrovic") == []
    assert names(shop, cica, "jasna") == ["Јасна"]


@pytest.mark.parametrize("text", ["", "   ", "a", "123", "1 2-3", "\u200b", "--", "''"])
def test_too_little_is_refused(shop, cica, text):
    with pytest.raises(Rejected) as refused:
        lookup.find(shop.tx, cica, text, NOW)
    assert refused.value.code == "look_up_short"


def test_too_much_is_refused(shop, cica):
    with pytest.raises(Rejected) as refused:
        lookup.find(shop.tx, cica, "a" * 5000, NOW)
    assert refused.value.code == "look_up_long"


def test_as_many_as_fit_on_a_screen(shop, cica):
    for n in range(lookup.MOST + 1):
        shop.guest(f"Ana {n}")
    found = lookup.find(shop.tx, cica, "ana", NOW)
    assert (len(found.matches), found.more) == (lookup.MOST, True)


@pytest.mark.usefixtures("ana")
def test_guests_of_another_cafe_are_not_found(shop):
    zika = Counter(shop.tx, "zrno").seat("zika")
    assert names(shop, zika, "4567") == []


def test_nor_those_who_are_no_more(shop, cica, ana):
    other = shop.guest("Ana Other")
    merge(shop.tx, ana, other, NOW)
    assert names(shop, cica, "ana") == ["Ana Petrović"]
    erase(shop.tx, ana, NOW)
    assert names(shop, cica, "ana") == []
    assert set(shop.tx.execute(sa.select(tables.guests.c.name_key)).scalars()) == {""}


@pytest.mark.parametrize(
    ("phone", "email", "hint"),
    [
        ("+381601234567", "ana@example.com", "•••• 4567"),
        (None, "ana@example.com", "a•••@example.com"),
        (None, None, ""),
    ],
)
def test_no_more_is_shown_than_tells_namesakes_apart(phone, email, hint):
    assert lookup.masked(phone, email) == hint


def test_finding_opens_nothing_and_choosing_opens_a_visit_that_nothing_proves(shop, cica, ana):
    (match,) = lookup.find(shop.tx, cica, "4567", NOW).matches
    assert shop.tx.scalar(sa.select(sa.func.count()).select_from(tables.visits)) == 0
    visit = visits.named(shop.tx, shop.cafe.id, lookup.choose(shop.tx, cica, match.id, NOW))
    assert (visit.guest_id, visit.proof, visit.till_id) == (ana, "phone", shop.bar)


def test_a_guest_of_another_cafe_can_not_be_chosen(shop, ana):
    zika = Counter(shop.tx, "zrno").seat("zika")
    public_id = guests.profile(shop.tx, ana).public_id
    for guest in (public_id, "nobody", ""):
        with pytest.raises(Missing):
            lookup.choose(shop.tx, zika, guest, NOW)


def test_the_log_says_who_looked_and_never_for_what(shop, cica, ana):
    lookup.find(shop.tx, cica, "petrović", NOW)
    lookup.choose(shop.tx, cica, guests.profile(shop.tx, ana).public_id, NOW)
    e = tables.event_log.c
    entries = shop.tx.execute(
        sa.select(e.kind, e.staff_id, e.till_id, e.cafe_id, e.guest_id, e.data)
        .where(e.kind.in_(["looked_up", "guest_chosen"]))
        .order_by(e.id)
    ).all()
    by = (cica.member.id, shop.bar, shop.cafe.id)
    assert [tuple(entry) for entry in entries] == [
        ("looked_up", *by, None, {"how": "name", "found": 1}),
        ("guest_chosen", *by, ana, {}),
    ]
