"""The portal's bonuses room over HTTP: each kind's form, previews, what becomes of bad input."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from core.domain.bonuses import KINDS
from core.i18n import LANGUAGES
from core.services.products import Draft, add
from core.storage import tables
from tests.end_to_end.around import plugins
from tests.portal.around import session_of
from tests.support.portal import Browser, hire, said
from tests.support.running import Running, run

HOURS = {"weekday": ["4", "5"], "from": "22:00", "to": "02:00"}
FORMS: dict[str, dict] = {
    "welcome": {"points": "50"},
    "first_of_day": {"points": "5"},
    "nth_visit": {"points": "30", "every": "5"},
    "birthday": {"points": "100", "days": "3"},
    "spend_over": {"points": "40", "over": "999,50"},
    "happy_hours": {"factor": "1,5", **HOURS},
    "product_multiplier": {"factor": "×2", "sku": ["cake"], "skus": "tea, juice,"},
}
PARAMS: dict[str, dict] = {
    "welcome": {"points": 50},
    "first_of_day": {"points": 5},
    "nth_visit": {"points": 30, "every": 5},
    "birthday": {"points": 100, "days": 3},
    "spend_over": {"points": 40, "over_minor": 99950},
    "happy_hours": {"factor": 150, "weekdays": [4, 5], "from": 1320, "to": 120},
    "product_multiplier": {"factor": 200, "skus": ["cake", "tea", "juice"]},
}
NASTY = ["", "0", "-1", "9" * 40, "\x00", "é" * 3000, "<script>x</script>", "1e9", "²", "24:00"]


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('bonuses')}/malva.db"
    with run(url, plugins(), cafes=("bife",)) as running:
        hire(running, "olga", "owner")
        olga = session_of(running, "olga").member
        cake = Draft({"en": "Cake"}, "cake", 6, 42000)
        running.database.write_now(add, olga, 1, cake, running.clock())
        yield running


@pytest.fixture(scope="module")
def owner(malva: Running) -> Iterator[Browser]:
    with Browser(malva.url) as browser:
        assert browser.sign_in("olga").status_code == 303
        yield browser


def newest(malva: Running) -> sa.Row:
    rows = sa.select(tables.bonus_rules).order_by(tables.bonus_rules.c.id.desc())
    return malva.database.read_now(lambda tx: tx.execute(rows).first())


def form(kind: str, **more) -> dict:
    return {"programme": "1", "kind": kind, **FORMS[kind], **more}


def test_first_of_all_its_kind_is_chosen(owner: Browser) -> None:
    page = owner.get("/portal/bonuses/new?programme=1").text
    links = re.findall(r'href="/portal/bonuses/new\?programme=1&amp;kind=(\w+)"', page)
    assert links == list(KINDS)
    for wrong in ("", "miracle", "\x00", "x" * 5000):
        asked = {"programme": "1", "kind": wrong}
        assert "What is it for?" in owner.get("/portal/bonuses/new", params=asked).text
        sent = owner.send("/portal/bonuses/new", {**asked, "points": "5"})
        assert (sent.status_code, "What is it for?" in sent.text) == (422, True)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_made_and_shown_again_as_it_was_written(
    malva: Running, owner: Browser, kind: str
) -> None:
    assert owner.get(f"/portal/bonuses/new?programme=1&kind={kind}").status_code == 200
    added = owner.send("/portal/bonuses/new", form(kind, name_sr="Poklon", per_guest="2"))
    assert added.headers["location"] == "/portal/bonuses?done=bonus_added"
    row = newest(malva)
    assert (row.kind, row.params, row.per_guest) == (kind, PARAMS[kind], 2)
    page = owner.get(f"/portal/bonuses/{row.id}").text
    shown = {
        **dict(re.findall(r'name="(\w+)"[^>]*? value="([^"]*)"', page)),
        "weekday": re.findall(r'name="weekday" value="(\d)" checked', page),
        "sku": re.findall(r'name="sku" value="(\w+)" checked', page),
    }
    names = ("name_en", "name_sr", "name_ru", "budget", "first_day", "last_day", "per_guest")
    again = {name: shown[name] for name in (*FORMS[kind], *names) if shown.get(name)}
    assert owner.send(f"/portal/bonuses/{row.id}", {"kind": kind, **again}).status_code == 303
    assert newest(malva) == row


def test_the_list_says_when_it_counts_and_what_it_gave(malva: Running, owner: Browser) -> None:
    owner.send("/portal/bonuses/new", form("happy_hours", budget="500", name_en="Late"))
    row = newest(malva)
    spent = sa.update(tables.bonus_rules).where(tables.bonus_rules.c.id == row.id)
    malva.database.write_now(lambda tx: tx.execute(spent.values(spent_points=120)) and None)
    for kind in ("welcome", "product_multiplier", "spend_over", "nth_visit"):
        owner.send("/portal/bonuses/new", form(kind))
    listed = owner.get("/portal/bonuses").text
    for shown in (
        "Fri, Sat 22:00–02:00 · 120 points of 500 given", "×1.5", "<b>Late</b>",
        "Cake, tea, juice", "+50 points", "from 999.50", "every 5 visits",
    ):  # fmt: skip
        assert shown in listed.replace("\u00a0", " "), shown
    assert "Bonus added: Late" in owner.get("/portal/log").text


def test_it_goes_off_and_on(malva: Running, owner: Browser) -> None:
    owner.send("/portal/bonuses/new", form("welcome"))
    path = f"/portal/bonuses/{newest(malva).id}"
    assert owner.send(f"{path}/off").headers["location"].endswith("bonus_off")
    assert newest(malva).active is False
    assert "switched off" in owner.get("/portal/bonuses").text
    owner.send(f"{path}/on")
    assert newest(malva).active is True
    assert "Bonus switched on: Welcome gift" in owner.get("/portal/log").text


def test_the_preview_says_what_an_order_would_be_given_and_the_last_30_days(
    malva: Running, owner: Browser
) -> None:
    before = newest(malva)
    piece = owner.send("/portal/bonuses/preview", form("happy_hours")).text
    assert "<html" not in piece
    assert "an order of 10 RSD gives 15 points instead of 10" in piece.replace("\u00a0", " ")
    assert "In the last 30 days it would have given nothing" in piece
    whole = owner.send("/portal/bonuses/new", form("welcome", preview="1"))
    assert (whole.status_code, "60 points instead of 10" in whole.text) == (200, True)
    over = owner.send("/portal/bonuses/preview", form("spend_over")).text
    assert "an order of 999.50 RSD gives" in over.replace("\u00a0", " ")
    assert newest(malva) == before
    for senseless in NASTY:
        piece = owner.send("/portal/bonuses/preview", form("welcome", points=senseless)).text
        assert "Here you see" in piece


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        ("welcome", {"points": ""}, "whole number"),
        ("welcome", {"points": "0"}, "1 to 1,000,000"),
        ("welcome", {"name_en": "x" * 65}, "1 to 64"),
        ("welcome", {"per_guest": "0"}, "1 to 1,000"),
        ("welcome", {"budget": "0"}, "A budget"),
        ("welcome", {"last_day": "2020-01-01"}, "over already"),
        ("nth_visit", {"every": "1"}, "Every 2nd"),
        ("birthday", {"days": "31"}, "30 days"),
        ("spend_over", {"over": "0"}, "above zero"),
        ("spend_over", {"over": "x"}, "An amount"),
        ("happy_hours", {"factor": "1"}, "above 1"),
        ("happy_hours", {"factor": "101"}, "above 1"),
        ("happy_hours", {"factor": "2.555"}, "above 1"),
        ("happy_hours", {"weekday": []}, "one day of the week"),
        ("happy_hours", {"from": "25:00"}, "A time"),
        ("happy_hours", {"to": "noon"}, "A time"),
        ("product_multiplier", {"sku": [], "skus": " , "}, "Choose a product"),
        ("product_multiplier", {"skus": "x" * 101}, "100 characters"),
    ],
)
def test_what_can_not_be_meant_is_said_and_not_done(
    malva: Running, owner: Browser, kind: str, wrong: dict, told: str
) -> None:
    before = newest(malva)
    answer = owner.send("/portal/bonuses/new", form(kind, name_sr="Poklon", **wrong))
    assert (answer.status_code, told in said(answer, "bad")) == (422, True)
    assert 'value="Poklon"' in answer.text or "name_sr" in wrong
    assert newest(malva) == before


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_sent_breaks_a_form(owner: Browser, kind: str) -> None:
    fields = {*FORMS[kind], "name_en", "per_guest", "budget", "first_day", "last_day"}
    for nasty in NASTY:
        sent = {"programme": "1", "kind": kind, **dict.fromkeys(fields, nasty)}
        for path in ("/portal/bonuses/new", "/portal/bonuses/preview", "/portal/bonuses/1"):
            answer = owner.send(path, sent)
            assert answer.status_code < 500, (nasty, path)
            assert "<script>x" not in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_room_speaks_three_languages(malva: Running, language: str) -> None:
    with Browser(malva.url, language) as browser:
        browser.sign_in("olga")
        for path in ("", "/new?programme=1", "/new?programme=1&kind=birthday"):
            page = browser.get(f"/portal/bonuses{path}").text
            assert f'<html lang="{language}' in page
