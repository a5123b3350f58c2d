"""The counter over HTTP: what is scanned or typed, purchases, rewards, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import httpx2
import pytest
import sqlalchemy as sa

from core.services import bonus_rules
from core.storage import tables
from tests.end_to_end.around import Till
from tests.portal.around import session_of
from tests.support.holder import Holder
from tests.support.running import Running
from tests.support.till import TillBrowser, hidden

HTMX = {"HX-Request": "true"}


class Cashier(TillBrowser):
    """Somebody at the counter. With `script` the page's script asks for pieces, as it mostly is."""

    script = True

    def post(self, path: str, *, on: str = "/till", **fields: str) -> httpx2.Response:
        """`on`: the page that is open."""
        csrf = hidden("csrf", self.get())
        headers = (
            {**HTMX, "HX-Current-URL": str(self.http.base_url.join(on))} if self.script else {}
        )
        return self.http.post(path, data={"csrf": csrf, **fields}, headers=headers)

    def scan(self, text: str, on: str = "/till") -> httpx2.Response:
        return self.post("/till/scan", on=on, text=text)

    def visit(self, text: str) -> str:
        """The address of the visit that it opens."""
        answer = self.scan(text)
        return answer.headers["hx-push-url"] if self.script else answer.headers["location"]

    def buy(self, visit: str, seen: str, key: str = "k" * 16, **fields: str) -> httpx2.Response:
        return self.post(f"{visit}/purchases", key=key, seen=seen, **fields)


@pytest.fixture(scope="module")
def seated(malva: Running) -> Iterator[Cashier]:
    with Cashier(malva.url) as cashier:
        cashier.seat(malva, "cica", 1)
        olga = session_of(malva, "olga").member
        malva.database.write_now(bonus_rules.switch, olga, 1, False, malva.clock())
        yield cashier


@pytest.fixture
def cica(malva: Running, seated: Cashier) -> Cashier:
    malva.clock.move(timedelta(minutes=2))  # the codes and mistakes of other tests are over
    seated.script = True
    return seated


@pytest.fixture(scope="module")
def api(malva: Running) -> Iterator[Till]:
    with Till(malva.url, malva.add_till("bife", "By API")) as till:
        yield till


@pytest.fixture
def ana(malva: Running) -> Holder:
    return Holder(malva, name="Ana <b>")


def plain(answer: httpx2.Response) -> str:
    """What is to be read in it."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def forms(answer: httpx2.Response) -> dict[str, str]:
    """The addresses that can be posted to, by the button's words."""
    found = re.findall(r'action="([^"]*)".*?<button[^>]*>([^<]*)', answer.text, re.DOTALL)
    return {unescape(words).strip(): address for address, words in found}


# -- the one field ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["qr", "code", "spaced"])
def test_a_card_opens_a_visit_and_says_who_stands_there(cica, ana, way):
    card = ana.card()
    text = {"qr": card.qr, "code": card.code, "spaced": f"{card.code[:3]} {card.code[3:]}"}[way]
    answer = cica.scan(text)
    assert answer.headers["hx-push-url"].startswith("/till/visits/")
    said = plain(answer)
    assert "Ana <b> 1,500 points" in said
    assert "Free coffee 1,000 points Redeem" in said
    assert ("No card was scanned" in said) == (way != "qr")
    assert "Ana <b>" not in answer.text
    assert "<html" not in answer.text


@pytest.mark.parametrize("way", ["qr", "code"])
def test_what_a_guest_picked_goes_through_the_same_field(cica, ana, way):
    answer = cica.scan(getattr(ana.pick(), way))
    said = plain(answer)
    assert "1,500 points 500 points of them free to redeem" in said
    still = r"(10:00|9:5\d)"  # it has begun to run
    assert re.search(f"Free coffee -1,000 points Still good for {still} Confirm Cancel", said)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("000000", "Nobody shows this code"),
        ("AAAA-2222", "Nobody shows this code"),
        ("MALVA1.AAAABBBBCCCCDDDD.123456", "Nobody shows this code"),
        ("MALVAR1." + "x" * 43, "Nobody shows this code"),
        ("MALVA9.else", "Nobody shows this code"),
        ("https://example.com/menu", "Nobody shows this code"),
        ("", "at least four digits"),
        ("12", "at least four digits"),
        ("Nobody Atall", "No guest of this cafe"),
        ("\ud800\x00%_" * 20, "No guest of this cafe"),
    ],
)
def test_what_is_nobody_is_said(cica, text, why):
    answer = cica.scan(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    assert answer.status_code == 200
    assert why in plain(answer)


def test_then_who_stands_there_stays_and_whom_it_could_have_been_goes(cica, ana):
    visit = cica.visit(ana.card().qr)
    answer = cica.scan("000000", on=visit)
    assert answer.headers["hx-retarget"] == "#note"
    assert "Who is there?" not in plain(answer)
    answer = cica.scan("Nobody Atall", on="/till")
    assert "hx-retarget" not in answer.headers
    assert "Who is there?" in plain(answer)


def test_a_code_counts_at_one_till(cica, ana, api):
    card = ana.card()
    api.identify(code=card.code)
    assert "used already" in plain(cica.scan(card.code))


def test_ten_wrong_codes_lock_the_till(cica, ana):
    for n in range(10):
        cica.scan(f"00000{n}")
    assert "Try again in 60 s" in plain(cica.scan(ana.card().code))


def test_a_look_up_shows_who_it_could_be_and_opens_nothing(cica, malva):
    Holder(malva, name="Petar Petrović", phone="+381601112223")
    answer = cica.scan("2223")
    assert "Petar Petrović •••• 2223 Yes, that is them" in plain(answer)
    assert "111" not in plain(answer)
    chosen = cica.post("/till/choose", guest=hidden("guest", answer))
    assert "No card was scanned" in plain(chosen)


def test_only_guests_of_this_cafe(malva, ana, cica):
    with Cashier(malva.url) as zika:
        zika.seat(malva, "zika", 2)
        assert "No guest of this cafe" in plain(zika.scan("Ana"))
        assert zika.post("/till/choose", guest=ana.public_id).status_code == 404
        visit = cica.visit(ana.card().qr)
        assert "Scan the guest's card again" in plain(zika.get(visit))
        assert "Scan the guest's card again" in plain(zika.buy(visit, "100", amount="1"))


# -- purchases -------------------------------------------------------------------------------------


def test_a_purchase_is_previewed_confirmed_and_undone(cica, ana):
    visit = cica.visit(ana.card().qr)
    basket = {"key": "a" * 16, "product_1": "2", "amount": "10,50"}
    would = cica.post(f"{visit}/preview", **basket)
    assert "850.50 RSD +22 points Confirm" in plain(would)
    assert ana.balance == 1500
    counted = cica.post(f"{visit}/purchases", seen=hidden("seen", would), **basket)
    assert "Counted: 22 points." in plain(counted)
    assert "1,522 points" in plain(counted)
    again = cica.post(f"{visit}/purchases", seen=hidden("seen", would), **basket)
    assert "Counted: 22 points." in plain(again)
    assert ana.balance == 1522
    undone = cica.post(forms(counted)["Undo"])
    assert "The purchase is undone." in plain(undone)
    assert ana.balance == 1500


def test_without_a_total_that_was_seen_nothing_is_counted(cica, ana):
    visit = cica.visit(ana.card().qr)
    assert "420 RSD" in plain(cica.buy(visit, "", product_1="1"))
    assert "A price was changed" in plain(cica.buy(visit, "41000", product_1="1"))
    assert ana.balance == 1500


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "Tap a product"),
        ({"product_1": "0"}, "Tap a product"),
        ({"product_1": "1e3"}, "A quantity is 1 to 99"),
        ({"product_1": "-1"}, "A quantity is 1 to 99"),
        ({"product_2": "1"}, "switched off"),
        ({"product_99999999999999999999": "1"}, "Tap a product"),
        ({"amount": "-5"}, "An amount"),
        ({"amount": "1.2.3"}, "An amount"),
        ({"amount": "9" * 14}, "An amount"),
    ],
)
def test_what_can_not_be_meant_is_said_beside_the_sum(cica, ana, fields, why):
    visit = cica.visit(ana.card().qr)
    answer = cica.post(f"{visit}/preview", key="b" * 16, **fields)
    assert answer.headers["hx-retarget"] == "#sum"
    assert why in plain(answer)
    assert ana.balance == 1500


def test_an_undo_has_two_minutes_and_a_visit_fifteen(cica, ana, malva):
    visit = cica.visit(ana.card().qr)
    counted = cica.buy(visit, "42000", product_1="1", key="c" * 16)
    malva.clock.move(timedelta(minutes=2, seconds=1))
    assert "too late" in plain(cica.post(forms(counted)["Undo"]))
    malva.clock.move(timedelta(minutes=14))
    over = cica.buy(visit, "42000", product_1="1", key="d" * 16)
    assert "The visit is over after 15 minutes." in plain(over)
    assert "Add a purchase" not in plain(over)
    assert ana.balance == 1506


def test_without_the_page_s_script_it_works_too(cica, ana):
    cica.script = False
    visit = cica.visit(ana.card().qr)
    page = cica.get(visit)
    assert "Show the total" in plain(page)
    key = hidden("key", page)
    seen = cica.post(f"{visit}/preview", key=key, product_1="1")
    assert 'name="product_1" value="1"' in seen.text
    assert hidden("key", seen) == key
    done = cica.buy(visit, hidden("seen", seen), key=key, product_1="1")
    assert (done.status_code, done.headers["location"]) == (303, visit)
    assert "Counted · +6 points" in plain(cica.get(visit))
    assert "Nobody shows this code" in plain(cica.scan("000000"))


# -- rewards ---------------------------------------------------------------------------------------


def test_after_a_scan_a_reward_is_started_and_confirmed_once(cica, ana):
    visit = cica.visit(ana.card().qr)
    started = cica.post(f"{visit}/redemptions", reward="1")
    confirm, key = forms(started)["Confirm"], hidden("key", started)
    assert "Confirmed: the points are taken." in plain(cica.post(confirm, key=key))
    assert "Confirmed: the points are taken." in plain(cica.post(confirm, key=key))
    assert "Don't give it twice" in plain(cica.post(confirm, key="e" * 16))
    assert ana.balance == 500


def test_what_was_confirmed_is_undone(cica, ana):
    seen = cica.scan(ana.pick().qr)
    confirmed = cica.post(forms(seen)["Confirm"], key=hidden("key", seen))
    assert ana.balance == 500
    undone = cica.post(forms(confirmed)["Undo"])
    assert "Undone: the points are back." in plain(undone)
    assert ana.balance == 1500


@pytest.mark.parametrize(
    ("kind", "value", "off"),
    [("amount", 150_00, "150 RSD off"), ("percentage", 12_50, "12.5% off")],
)
def test_a_cashier_sees_how_much_a_discount_is(cica, ana, malva, kind, value, off):
    reward = malva.database.write_now(_discount, kind, value)
    try:
        visit = cica.visit(ana.card().qr)
        assert f"Friday treat 100 points · {off} Redeem" in plain(cica.get(visit))
        started = cica.post(f"{visit}/redemptions", reward=str(reward))
        assert f"Friday treat {off} -100 points" in plain(started)
        cica.post(forms(started)["Confirm"], key=hidden("key", started))
        malva.clock.move(timedelta(seconds=4))
        assert f"take the discount off by hand. {off}" in plain(cica.get(visit))
    finally:
        malva.database.write_now(_switch_off, reward)


def _discount(tx, kind: str, value: int) -> int:
    reward = {"programme_id": 1, "names": {"en": "Friday treat"}, "cost": 100}
    query = sa.insert(tables.rewards).values(**reward, kind=kind, value=value)
    return tx.scalar(query.returning(tables.rewards.c.id))


def _switch_off(tx, reward: int) -> None:
    one = tables.rewards.c.id == reward
    tx.execute(sa.update(tables.rewards).where(one).values(active=False))


def test_what_was_picked_is_cancelled(cica, ana):
    seen = cica.scan(ana.pick().code)
    assert "Cancelled: the points are free again." in plain(cica.post(forms(seen)["Cancel"]))
    assert "cancelled" in plain(cica.post(forms(seen)["Confirm"], key=hidden("key", seen)))
    assert ana.balance == 1500


def test_after_a_typed_code_the_guest_is_asked_first(cica, ana):
    visit = cica.visit(ana.card().code)
    asked = cica.post(f"{visit}/redemptions", reward="1")
    assert "Waiting for the guest's yes" in plain(asked)
    assert "Confirm" not in forms(asked)
    early = forms(asked)["Cancel"].replace("/cancel", "/confirm")
    assert "has not said yes" in plain(cica.post(early, key="f" * 16))
    ana.says(yes=True)
    live = cica.get(f"{visit}/live", headers=HTMX)
    assert "Confirm" in forms(live)
    assert "Confirmed" in plain(cica.post(forms(live)["Confirm"], key=hidden("key", live)))
    assert ana.balance == 500


def test_a_guest_who_says_no_is_seen_at_once(cica, ana):
    visit = cica.visit(ana.card().code)
    cica.post(f"{visit}/redemptions", reward="1")
    ana.says(yes=False)
    live = cica.get(f"{visit}/live", headers=HTMX)
    assert "Cancelled: the points are free again." in plain(live)


@pytest.mark.parametrize("reward", ["", "0", "999", "1e3", "9" * 30, "٣"])
def test_a_reward_that_is_none(cica, ana, reward):
    visit = cica.visit(ana.card().qr)
    assert "isn't offered" in plain(cica.post(f"{visit}/redemptions", reward=reward))


def test_too_few_points(cica, malva, ana):
    visit = cica.visit(ana.card().qr)
    ana.give(-1000)
    assert "too few points" in plain(cica.post(f"{visit}/redemptions", reward="1"))


# -- orders without a guest ------------------------------------------------------------------------


def test_an_order_without_a_guest_is_given_to_one(cica, ana, api, malva):
    malva.clock.move(timedelta(minutes=16))  # no visit is open at that till
    api.order("lost-1", "321.00")
    assert "321 RSD" in plain(cica.get())
    visit = cica.visit(ana.card().qr)
    given = cica.post(f"{visit}/orders", source="api", order="lost-1")
    assert "The order is theirs: 321 points." in plain(given)
    assert ana.balance == 1821
    assert "321 RSD" not in plain(cica.get())
    unknown = cica.post(f"{visit}/orders", source="api", order="never")
    assert "no such order" in plain(unknown)


def test_to_the_wrong_one_it_is_undone(cica, ana, api, malva):
    malva.clock.move(timedelta(minutes=16))
    api.order("lost-2", "322.00")
    visit = cica.visit(ana.card().qr)
    given = cica.post(f"{visit}/orders", source="api", order="lost-2")
    assert f'{visit}/orders/undo"' in given.text
    for _ in range(2):
        undone = plain(cica.post(f"{visit}/orders/undo", source="api", order="lost-2"))
        assert "Undone: the order has no guest again." in undone
    assert "1 order without a guest" in undone
    assert ana.balance == 1500
    cica.post(f"{visit}/orders", source="api", order="lost-2")
    api.refund("lost-2")
    late = plain(cica.post(f"{visit}/orders/undo", source="api", order="lost-2"))
    assert "refunded meanwhile" in late


def test_without_the_script_too(cica, ana, api, malva):
    cica.script = False
    malva.clock.move(timedelta(minutes=16))
    api.order("lost-3", "323.00")
    visit = cica.visit(ana.card().qr)
    cica.post(f"{visit}/orders", source="api", order="lost-3")
    assert cica.post(f"{visit}/orders/undo", source="api", order="lost-3").status_code == 303
    assert ana.balance == 1500


# -- live ------------------------------------------------------------------------------------------


def test_the_page_hears_what_happens_until_they_sign_out(malva, ana, api):
    with Cashier(malva.url) as dara:
        dara.seat(malva, "dara", 1)
        visit = dara.visit(ana.card().qr).removeprefix("/till/visits/")
        with dara.http.stream("GET", f"/till/events?visit={visit}") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            told = (line.removeprefix("event: ") for line in stream.iter_lines() if "event" in line)
            assert next(told) == "beat"
            api.order("news-1", "1.00")
            assert next(told) == "news"
            with Cashier(malva.url) as same:
                same.http.cookies = dara.http.cookies
                same.sign_out()
            api.order("news-2", "1.00")
            assert list(told)[-1] == "over"


# -- what is nobody's ------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", ["x", "%00", "a" * 17, "..%2f..", "%F0%9F%98%80" * 4])
def test_an_address_that_can_be_none(cica, id_):
    assert cica.get(f"/till/visits/{id_}").status_code == 404
    for what in ("live", "preview", "purchases", "redemptions", "orders"):
        path = f"/till/visits/{id_}/{what}"
        answer = cica.get(path) if what == "live" else cica.post(path, key="k" * 16, seen="1")
        assert answer.status_code == 404, path
