"""Rewards at the till, from outside: scanned, started, confirmed, cancelled, used and refunded."""

import pytest

from tests.support.till_api import PHONE, error, serving


@pytest.fixture
def till_api(database_url):
    with serving(database_url) as api:
        yield api


@pytest.fixture
def cake(till_api):
    return till_api.reward()


@pytest.fixture
def ana(till_api):
    return till_api.collector(phone=PHONE, phone_proven=True)


def balance(api) -> int:
    return api.post("identify", {"phone": PHONE}).json()["balance"]


def test_a_reward_from_the_pick_to_the_refund(till_api, ana, cake):
    picked = till_api.pick(ana, cake)
    seen = till_api.redeem(qr=picked.qr)
    assert seen.status_code == 200
    shown = seen.json()
    guest, expires_at = shown.pop("guest"), shown.pop("expires_at")
    visit = shown.pop("visit")
    assert (guest["name"], expires_at) == ("Ana", "2026-11-22T12:10:10+00:00")
    assert shown == {
        "id": picked.id,
        "status": "held",
        "rewards": [{"id": cake, "name": "Cake", "cost": 100, "kind": "product", "value": None}],
        "points": 100,
        "balance": 450,
        "unit": "points",
    }
    confirmed = till_api.confirm(picked.id)
    assert confirmed.status_code == 200
    assert confirmed.json() == {
        **{key: shown[key] for key in ("id", "rewards", "unit")},
        "guest": guest,
        "status": "confirmed",
        "points": -100,
        "balance": 350,
    }
    order = till_api.order("o2", total="50.00", visit=visit, redemptions=[picked.id])
    assert order.json()["balance"] == 400
    assert till_api.refund("o2", "r2").json()["balance"] == 450
    assert balance(till_api) == 450


def test_the_same_key_gets_the_same_answer_and_takes_nothing_more(till_api, ana, cake):
    picked = till_api.pick(ana, cake)
    first = till_api.confirm(picked.id)
    till_api.wait(minutes=30)
    assert till_api.confirm(picked.id).content == first.content
    assert error(till_api.confirm(picked.id, "other")) == (409, "already_confirmed")
    assert balance(till_api) == 350


def test_a_typed_code_shows_it_too(till_api, ana, cake):
    picked = till_api.pick(ana, cake)
    assert till_api.redeem(code=picked.code.lower()).json()["id"] == picked.id


def test_what_is_held_is_not_affordable_again(till_api, ana):
    dear = till_api.reward("Dinner", 400)
    till_api.pick(ana, dear)
    found = till_api.post("identify", {"phone": PHONE}).json()
    assert found["balance"] == 450
    assert {one["name"]: one["affordable"] for one in found["rewards"]}["Dinner"] is False
    assert found["next_reward"] == {"name": "Dinner", "missing": 350}


def test_a_till_cancels(till_api, ana, cake):
    picked = till_api.pick(ana, cake)
    ended = {"id": picked.id, "status": "cancelled", "points": 100, "balance": 450}
    for _ in range(2):
        assert till_api.cancel(picked.id).json() == ended
    assert error(till_api.confirm(picked.id)) == (410, "cancelled")


def test_after_a_phone_the_guest_has_to_say_yes(till_api, ana, cake):
    visit = till_api.post("identify", {"phone": PHONE}).json()["visit"]
    started = till_api.redeem(visit=visit, reward_ids=[cake, cake])
    assert started.status_code == 201
    redemption = started.json()
    assert (redemption["status"], redemption["points"]) == ("awaiting_guest", 200)
    assert error(till_api.confirm(redemption["id"])) == (409, "awaiting_guest")
    till_api.answer(ana, redemption["id"], yes=True)
    assert till_api.confirm(redemption["id"]).json()["balance"] == 250


def test_after_a_scan_nobody_is_asked(till_api, ana, cake):
    started = till_api.redeem(visit=till_api.visit(ana), reward_ids=[cake]).json()
    assert started["status"] == "held"
    assert till_api.confirm(started["id"]).json()["points"] == -100


def test_names_are_in_the_language_that_the_till_asks_for(till_api, ana):
    coffee = till_api.reward("Coffee", 10)
    qr = till_api.pick(ana, coffee).qr
    asked = till_api.post("redemptions", {"qr": qr}, **{"accept-language": "sr"})
    assert asked.json()["rewards"][0]["name"] == "Coffee"


def test_wrong_codes_are_counted_with_those_of_cards(till_api):
    for n in range(5):
        assert error(till_api.redeem(code="AAAA-2222")) == (404, "unknown_code")
        assert error(till_api.post("identify", {"code": f"00000{n}"})) == (404, "unknown_code")
    locked = till_api.redeem(qr="MALVAR1." + "a" * 43)
    assert error(locked) == (429, "locked")
    assert locked.headers["retry-after"] == "60"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"qr": "MALVAR1.x", "code": "AAAA-2222"},
        {"visit": "v"},
        {"visit": "v", "reward_ids": []},
        {"reward_ids": ["1"]},
        {"visit": "v", "reward_ids": ["1"] * 11},
        {"visit": "v", "reward_ids": [1]},
        {"code": 5},
        {"qr": "x", "till": "bar"},
    ],
)
def test_anything_else_is_refused(till_api, body):
    assert error(till_api.post("redemptions", body)) == (400, "invalid")


@pytest.mark.parametrize("text", ["", "MALVAR1.", "MALVAR1." + "é" * 43, "\0", "x" * 999])
def test_nonsense_is_nobodys(till_api, text):
    assert error(till_api.redeem(qr=text)) == (404, "unknown_code")
    assert error(till_api.redeem(code=text)) == (404, "unknown_code")


def test_an_id_that_can_not_be_one_is_nobodys(till_api):
    for name in ("x" * 500, "%00", "é"):
        assert error(till_api.confirm(name)) == (404, "unknown_redemption")
        assert error(till_api.cancel(name)) == (404, "unknown_redemption")
    assert error(till_api.post("redemptions/r/confirm", {})) == (400, "invalid")
