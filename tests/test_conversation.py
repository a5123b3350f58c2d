"""The engine by itself: what was typed, answers, and that nothing breaks or silences it."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contract import (
    Capabilities,
    Chose,
    Option,
    Outbound,
    Said,
    SharedPhone,
    Started,
    Unsupported,
)
from core.conversation import answers, engine, menu
from core.conversation.speech import command, folded, picked, presented
from core.conversation.types import (
    NOTHING,
    Account,
    Balance,
    Change,
    Entry,
    Erase,
    Erased,
    Export,
    Exported,
    FindGuest,
    InvitationLoaded,
    Join,
    Joined,
    LoadInvitation,
    LoadPoints,
    NextReward,
    NotKnown,
    PhoneProven,
    PointsLoaded,
    ProvePhone,
    Recognised,
    Register,
    Registered,
    ShowCard,
    State,
)
from core.conversation.views import CafeView, GuestView, Invited, View
from core.domain.names import clean_name, shorten_name
from core.domain.phones import told_phone, typed_phone
from core.i18n import LANGUAGES, words

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MANY = Capabilities(options=100, text_length=4096, caption_length=1024, asks_phone=True)
FEW = Capabilities(options=3, text_length=1600, caption_length=1024)
CAFES = (CafeView("bife", "BIFE"), CafeView("zrno", "Zrno"))
STRANGER = View("BIFE", "https://malva.example/privacy", MANY, lambda: CAFES, name="Ana")
ANA = replace(STRANGER, guest=GuestView("Ana", "en", home=CAFES[0]))


# -- what was typed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("my card", "☕ My card"),
        ("  MY  CARD ", "☕ My card"),
        ("☕", "☕"),
        ("preskoci", "Preskoči"),
        ("podesavanja", "⚙️ Podešavanja"),
        ("PODEŠAVANJA!", "⚙️ Podešavanja"),
        ("настроики", "⚙️ Настройки"),
    ],
)
def test_an_option_may_be_typed_in_any_case_without_accents_or_emoji(
    typed: str, label: str
) -> None:
    assert folded(typed) == folded(label)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *((word, "menu") for word in ("/start", "start", "Hi", "menu", "zdravo", "ĆAO", "cao")),
        *((word, "menu") for word in ("meni", "привет", "Меню!", "/start@bife_bot", "старт")),
        *((word, "help") for word in ("help", "/help", "?", "pomoc", "помощь")),
        *((word, "stop") for word in ("stop", "/STOP", "odjava", "стоп")),
        *((word, None) for word in ("Dan", "stopwatch", "", "/", "💐", "hi there " * 2000)),
    ],
)
def test_words_that_are_understood_everywhere(typed: str, meant: str | None) -> None:
    assert command(typed) == meant


def test_options_that_are_too_many_become_a_list_whose_numbers_count() -> None:
    message = Outbound(text="Which?", options=tuple((Option(n, n.upper()),) for n in "abcd"))
    assert presented(message, FEW).text == "Which?\n\n1. A\n2. B\n3. C\n4. D"
    assert presented(message, FEW).options == ()
    assert picked("4", message, FEW) == "d"
    assert picked("c", message, FEW) == "c"
    assert picked("5", message, FEW) is picked("0", message, FEW) is None
    assert presented(message, MANY) is message
    assert picked("4", message, MANY) is None, "nobody numbered them"


def test_the_menu_is_known_in_every_language() -> None:
    labels = {o.label: o.value for code in LANGUAGES for row in menu.options(code) for o in row}
    assert len(labels) == 5 * len(LANGUAGES)
    assert all(menu.named(label) == value for label, value in labels.items())


# -- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ana\t Marija ", "Ana Marija"),
        ("Ан\u0438\u0306", "Ан\u0439"),
        ("👩‍👩‍👧 porodica", "👩‍👩‍👧 porodica"),
        ("عائشة", "عائشة"),
        ("<b>Ana</b> & *co*", "<b>Ana</b> & *co*"),
        ("\u202eanA\u0000\u2066", "anA"),
        ("x\ud800y", "xy"),
        ("a" * 64, "a" * 64),
        ("a" * 65, None),
        ("a" * 10_000, None),
        ("", None),
        (" \u200d\u0301\u0000", None),
    ],
)
def test_names_are_kept_as_they_are_written_or_refused(typed: str, kept: str | None) -> None:
    assert clean_name(typed) == kept


def test_a_messengers_name_is_cut_rather_than_refused() -> None:
    assert shorten_name("Ana " * 50) == ("Ana " * 16).strip()
    assert shorten_name("\u0000") is shorten_name(None) is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("060 123 4567", "+381601234567"),
        ("(060) 123-45-67", "+381601234567"),
        ("00381 60 1234567", "+381601234567"),
        ("+7 999 123-45-67", "+79991234567"),
        ("12", None),
        ("+381 60", None),
        ("Ana", None),
        ("060 123 4567 ext. 8", None),
        ("0" * 10_000, None),
    ],
)
def test_typed_phones_become_e164(typed: str, kept: str | None) -> None:
    assert typed_phone(typed, "RS") == kept


def test_a_messengers_phone_always_has_its_country() -> None:
    assert told_phone("381601234567") == told_phone("+381 60 1234567") == "+381601234567"
    assert told_phone("060123") is told_phone("") is told_phone("9" * 30) is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("24.12.1990", "1990-12-24"),
        (" 24. 12. 1990. ", "1990-12-24"),
        ("24/12/1990", "1990-12-24"),
        ("1990-12-24", "1990-12-24"),
        ("24/12", "--12-24"),
        ("24.12.", "--12-24"),
        ("29.2.", "--02-29"),
        ("29.2.1991", None),
        ("12/24/1990", None),
        ("1.1.1900", None),
        ("23.11.2026", None),
        ("22.11.2026", "2026-11-22"),
        ("24.12.0000", None),
        ("yesterday", None),
        ("٢٤.١٢.١٩٩٠", None),
    ],
)
def test_birthdays_in_the_forms_that_people_write(typed: str, kept: str | None) -> None:
    assert answers.birthday(typed, NOW) == kept


@pytest.mark.parametrize("typed", ["ana@example.com", " Ana.M+b@sub.example.rs "])
def test_plausible_email_addresses(typed: str) -> None:
    assert answers.email(typed) == typed.strip()


@pytest.mark.parametrize(
    "typed", ["ana", "ana@", "@example.com", "ana@example", "a b@example.com", "a@b.c", "a@b..com"]
)
def test_what_is_no_email_address(typed: str) -> None:
    assert answers.email(typed) is None
    assert answers.email(f"{'a' * 300}@example.com") is None


# -- nothing breaks it, nothing silences it --------------------------------------------------------

VALUES = re.findall(
    r"\S+",
    """
    menu card points invite settings help stop back data data:export data:erase erase:yes erase: :
    xyz
    language:en language:ru language:xx name:offered name:remove phone:skip phone:remove
    cafe:bife cafe:zrno cafe:none offers:yes offers:no offers: email:remove
    set:name set:cafe set:email set:birthday set:phone set:language set:offers set:
    """,
)
WORDS = [
    "/start",
    "menu",
    "stop",
    "help",
    "1",
    "2",
    "9",
    "Ana",
    "Yes",
    "Da",
    "Nazad",
    "Back",
    "Skip",
]
texts = st.one_of(
    st.sampled_from([*WORDS, "My card", "BIFE", "060 123 4567", "ana@x.com", "24.12.", "x" * 9999]),
    st.text(max_size=80),
)
INVITATION = "inv_AAAABBBBCCCCDDDD"
contents = st.one_of(
    st.builds(Said, texts),
    st.builds(Chose, st.one_of(st.sampled_from(VALUES), st.text(max_size=64))),
    st.builds(Started, st.sampled_from([None, "", "cafe_bife", "cafe_none", INVITATION, "\x00"])),
    st.builds(SharedPhone, st.just("+381601234567"), st.booleans()),
    st.builds(Unsupported, st.just("sticker")),
)
FOUND = (Balance("BIFE", 85, "points"), Balance("Zrno", -3, "stamps"))
ENTRY = Entry(NOW.date(), 85, "opening", [{"rule": "opening", "points": 85}])


class Pretence:
    """What the services would do, so that the engine can be led anywhere without a database."""

    def __init__(self, view: View, known: bool) -> None:
        self.view, self.known = view, known

    def carry_out(self, intention: object) -> object | None:
        match intention:
            case FindGuest(phone) if not self.known:
                self.view = replace(self.view, phone=phone)
                return NotKnown(phone)
            case FindGuest(phone):
                self.view = replace(self.view, phone=phone, guest=GuestView("Ana", "sr"))
                return Recognised("Ana", FOUND, FOUND)
            case Register(name, language, phone):
                assert name == clean_name(name)
                assert language in LANGUAGES
                self.view = replace(self.view, guest=GuestView(name, language, phone))
                return Registered(FOUND if self.known else ())
            case LoadPoints():
                return PointsLoaded(
                    tuple(Account(one, NextReward("Kafa", 100), (ENTRY,)) for one in FOUND)
                )
            case LoadInvitation():
                links = (("Telegram", "https://t.me/x"),) if self.known else ()
                return InvitationLoaded(links, 0, 100 if self.known else 0, "points")
            case Join(cafe):
                return Joined(cafe, self.known)
            case ProvePhone(phone):
                return PhoneProven(phone, FOUND if self.known else None)
            case Change(setting, value):
                assert self.view.guest
                if setting != "cafe":
                    guest = replace(self.view.guest, **{setting: value})
                    self.view = replace(self.view, guest=guest)
            case Export():
                return Exported("https://malva.example/x")
            case Erase():
                self.view = replace(self.view, guest=None, phone=None)
                return Erased("ru")
        return None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(contents, min_size=1, max_size=25),
    st.sampled_from([MANY, FEW, replace(FEW, proves_phone=True)]),
    st.sampled_from([CAFES, CAFES[:1], ()]),
    st.booleans(),
)
def test_every_event_is_answered_and_the_state_outlives_a_restart(
    events: list, capabilities: Capabilities, cafes: tuple, known: bool
) -> None:
    phone = "+381601234567" if capabilities.proves_phone else None
    view = replace(STRANGER, capabilities=capabilities, cafes=lambda: cafes, phone=phone)
    view = replace(view, invitation=lambda code: Invited("bife", 100, "points", own=known))
    services, state = Pretence(view, known), NOTHING
    for event in events:
        pending, answered = [event], False
        for _ in range(8):
            step = engine.step(state, pending.pop(0), services.view, NOW)
            answered |= bool(step.replies) or ShowCard() in step.intentions
            for intention in step.intentions:
                pending += filter(None, [services.carry_out(intention)])
            for reply in step.replies:
                assert reply.text.strip()
                assert sum(map(len, reply.options)) <= capabilities.options
                assert all(len(o.value.encode()) <= 64 for row in reply.options for o in row)
            document = step.state.to_json()
            state = State.from_json(orjson.loads(orjson.dumps(document)))
            assert state == step.state
            if not pending:
                break
        assert answered, f"silence after {event}"
        assert not pending, "a loop"


@given(
    st.dictionaries(
        st.sampled_from(["asked", "language", "name", "phone", "cafe", "more"]),
        st.one_of(
            st.none(), st.integers(), st.text(max_size=8), st.sampled_from(["offers", "cafe"])
        ),
    ),
    contents,
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_a_state_of_another_version_is_no_trouble(
    document: dict, event: object, guest: bool
) -> None:
    step = engine.step(State.from_json(document), event, ANA if guest else STRANGER, NOW)
    assert step.replies or step.intentions


def test_erasing_needs_its_question_to_be_open() -> None:
    step = engine.step(NOTHING, Chose("erase:yes"), ANA, NOW)
    assert step.intentions == ()
    assert engine.step(step.state, Chose("erase:yes"), ANA, NOW).intentions == (Erase(),)


def test_five_taps_to_the_card() -> None:
    state, view = NOTHING, STRANGER
    taps = [Started(), Chose("language:en"), Chose("name:offered"), Chose("phone:skip")]
    for tap in taps:
        state = engine.step(state, tap, view, NOW).state
    registered = engine.step(state, Chose("cafe:zrno"), view, NOW)
    assert registered.intentions == (Register("Ana", "en", None, "zrno"),)
    assert registered.replies == (), "no chatter before the card"
    assert engine.step(registered.state, Registered(), ANA, NOW).intentions == (ShowCard(),)


@pytest.mark.parametrize("language", LANGUAGES)
def test_points_of_several_programmes_stay_within_a_message(language: str) -> None:
    many = tuple(
        Account(Balance(f"Cafe {n}", n, "points"), NextReward("Kafa", 1000), (ENTRY,) * 3)
        for n in range(60)
    )
    view = replace(ANA, guest=GuestView("Ana", language), capabilities=FEW)
    (reply,) = engine.step(NOTHING, PointsLoaded(many), view, NOW).replies
    assert len(reply.text) <= FEW.text_length
    assert words(language).points(5, "points") in reply.text
