"""The till API from outside: identify, orders, refunds, claims, and everything that is refused."""

import asyncio
import json

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.services import cafes, orders, paid_orders
from core.storage import tables
from tests.support.till_api import PHONE, TillApi, error, serving


@pytest.fixture
def till_api(database_url):
    """On both databases."""
    with serving(database_url) as api:
        yield api


@pytest.fixture
def quick_api(sqlite_url):
    """On SQLite alone, where the database makes no difference."""
    with serving(sqlite_url) as api:
        yield api


# -- identify --------------------------------------------------------------------------------------


def test_identify_tells_the_till_who_it_is_and_what_they_can_have(till_api):
    ana = till_api.guest()
    answer = till_api.post("identify", {"qr": till_api.card(ana).qr})
    assert answer.status_code == 200
    told = answer.json()
    visit, guest = told.pop("visit"), told.pop("guest")
    assert isinstance(visit, str)
    assert set(guest) == {"id", "name", "language"}
    assert (guest["name"], guest["language"]) == ("Ana", "en")
    (reward,) = told.pop("rewards")
    assert isinstance(reward.pop("id"), str)
    assert reward == {"name": "Free coffee", "cost": 1000, "affordable": False}
    assert told == {
        "balance": 0,
        "unit": "points",
        "next_reward": {"name": "Free coffee", "missing": 1000},
    }


def test_typed_digits_and_a_phone_identify_too(till_api):
    ana = till_api.guest(phone=PHONE)
    by_code = till_api.post("identify", {"code": till_api.card(ana).code}).json()
    by_phone = till_api.post("identify", {"phone": PHONE}).json()
    assert by_code["guest"] == by_phone["guest"]
    assert by_code["visit"] != by_phone["visit"]


def test_a_code_identifies_once_and_the_same_till_gets_the_same_answer(till_api):
    card = till_api.card(till_api.guest())
    first = till_api.post("identify", {"qr": card.qr})
    assert till_api.post("identify", {"qr": card.qr}).json() == first.json()
    door = till_api.till("Door")
    assert error(till_api.post("identify", {"code": card.code}, token=door)) == (409, "code_used")


def test_two_who_typed_one_phone_are_ambiguous_and_nobody_is_unknown(till_api):
    till_api.guest("Ana", phone=PHONE)
    till_api.guest("Bora", phone=PHONE)
    assert error(till_api.post("identify", {"phone": PHONE})) == (409, "ambiguous")
    assert error(till_api.post("identify", {"phone": "+38160999888"})) == (404, "unknown_code")


def test_ten_wrong_codes_lock_the_till_for_a_while_and_each_was_counted(till_api):
    card = till_api.card(till_api.guest())
    wrong = {"code": "000001" if card.code == "000000" else "000000"}
    for _ in range(10):
        assert error(till_api.post("identify", wrong)) == (404, "unknown_code")
    locked = till_api.post("identify", {"qr": card.qr})
    assert error(locked) == (429, "locked")
    assert locked.headers["retry-after"] == "60"
    assert till_api.log().count("till_locked") == 1
    till_api.wait(seconds=30)
    assert till_api.post("identify", wrong).headers["retry-after"] == "30"
    till_api.wait(seconds=30)
    assert error(till_api.post("identify", wrong)) == (404, "unknown_code")


# -- orders ----------------------------------------------------------------------------------------


def test_an_order_of_the_tills_visit_earns_points(till_api):
    till_api.visit(till_api.guest())
    counted = till_api.order()
    assert counted.status_code == 201
    assert counted.json() == {
        "order_id": "o1",
        "points": 450,
        "balance": 450,
        "because": [{"rule": "spend", "points": 450}],
    }


def test_the_same_order_again_gets_the_same_answer_and_counts_once(till_api):
    till_api.visit(till_api.guest())
    first = till_api.order()
    again = till_api.order()
    assert again.status_code == 200
    assert again.json() == {**first.json(), "duplicate": True}
    assert till_api.count(tables.orders) == 1


@pytest.mark.anyio
async def test_of_fifty_identical_requests_at_once_one_counts(till_api):
    till_api.visit(till_api.guest())
    body = {"order_id": "o1", "total": "450.00", "currency": "RSD"}
    headers = {"Authorization": f"Bearer {till_api.token}", "Idempotency-Key": "k1"}
    transport = httpx2.ASGITransport(till_api.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://till") as client:
        answers = await asyncio.gather(
            *(client.post("/api/v1/orders", json=body, headers=headers) for _ in range(50))
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert {answer.json()["balance"] for answer in answers} == {450}
    assert till_api.count(tables.ledger_entries) == 1


def test_other_data_under_the_same_key_or_order_id_is_a_conflict(till_api):
    till_api.order()
    assert error(till_api.order(total="451.00")) == (409, "conflict")
    assert error(till_api.order(total="451.00", key="another")) == (409, "conflict")
    assert error(till_api.order("o2", key="key of o1")) == (409, "conflict")
    assert till_api.count(tables.orders) == 1


def test_the_same_time_in_another_zone_is_the_same_order(till_api):
    till_api.order(paid_at="2026-11-22T13:00:00+01:00")
    assert till_api.order(paid_at="2026-11-22T12:00:00Z").status_code == 200


def test_what_a_till_system_reported_of_nobody_is_claimed_at_the_till(till_api):
    def octopos(tx):
        return orders.count_order(
            tx,
            cafe=cafes.row(tx, till_api.cafe_id),
            source="octopos",
            order=paid_orders.PaidOrder(order_id="77-1", total_minor=450_00, currency="RSD"),
            till_id=None,
            key=None,
            arrived_at=till_api.now,
            now=till_api.now,
        )

    assert till_api.database.write_now(octopos).response["points"] == 0
    claimed = till_api.claim(till_api.visit(till_api.guest()), "77-1")
    assert (claimed.status_code, claimed.json()["points"]) == (201, 450)


def test_an_order_of_nobody_gives_nothing_until_it_is_claimed(till_api):
    order = till_api.order()
    assert order.status_code == 201
    assert (order.json()["points"], order.json()["balance"]) == (0, None)
    visit = till_api.visit(till_api.guest())
    claimed = till_api.claim(visit)
    assert claimed.status_code == 201
    assert (claimed.json()["points"], claimed.json()["balance"]) == (450, 450)
    again = till_api.claim(visit)
    assert (again.status_code, again.json()) == (200, {**claimed.json(), "duplicate": True})


def test_a_claimed_order_is_nobody_elses_and_an_old_one_nobodys_for_ever(till_api):
    till_api.order("o1")
    till_api.order("old")
    till_api.claim(till_api.visit(till_api.guest()))
    boras = till_api.visit(till_api.guest("Bora"))
    assert error(till_api.claim(boras)) == (409, "already_claimed")
    assert error(till_api.claim(boras, "none")) == (404, "unknown_order")
    assert error(till_api.claim("none", "old")) == (404, "unknown_visit")
    till_api.wait(hours=48, seconds=1)
    assert error(till_api.claim(boras, "old")) == (410, "too_late")


def test_a_bill_may_be_split_over_a_visit_that_each_part_names(till_api):
    visit = till_api.visit(till_api.guest())
    till_api.visit(till_api.guest("Bora"))
    till_api.order("o1", visit=visit)
    assert till_api.order("o2", visit=visit).json()["balance"] == 900


def test_an_order_may_list_what_was_bought(till_api):
    items = [
        {"name": "Cappuccino \0 " + "☕" * 10_000, "quantity": 2, "price": "100.00", "sku": "C1"},
        {"name": "Croissant", "quantity": "0.5", "price": "500"},
    ]
    assert till_api.order(items=items).status_code == 201
    assert till_api.order(items=items).status_code == 200
    assert till_api.count(tables.order_lines) == 2


def test_an_order_in_another_currency_or_of_an_unknown_visit_or_reward_is_refused(till_api):
    assert error(till_api.order(currency="EUR")) == (422, "wrong_currency")
    assert error(till_api.order(visit="none")) == (404, "unknown_visit")
    assert error(till_api.order(redemptions=["none"])) == (404, "unknown_redemption")
    assert till_api.count(tables.orders) == 0


# -- refunds ---------------------------------------------------------------------------------------


def test_a_refund_takes_back_in_proportion_then_all_that_is_left(till_api):
    till_api.visit(till_api.guest())
    till_api.order()
    part = till_api.refund(amount="150.00")
    assert part.status_code == 201
    assert (part.json()["points"], part.json()["balance"]) == (-150, 300)
    again = till_api.refund(amount="150.00")
    assert (again.status_code, again.json()) == (200, {**part.json(), "duplicate": True})
    assert error(till_api.refund(amount="151.00")) == (409, "conflict")
    assert error(till_api.refund(refund_id="r2", amount="300.01")) == (409, "too_much")
    rest = till_api.refund(refund_id="r2")
    assert (rest.json()["points"], rest.json()["balance"]) == (-300, 0)


def test_a_refund_before_its_order_is_parked_and_counts_when_the_order_comes(till_api):
    till_api.visit(till_api.guest())
    parked = till_api.refund(amount="150.00")
    assert (parked.status_code, parked.json()["status"]) == (202, "parked")
    assert till_api.order().json()["balance"] == 300


def test_an_order_id_may_hold_what_a_path_does_not_take_bare(till_api):
    order_id = "2026/11 #1 ?é"
    till_api.visit(till_api.guest())
    till_api.order(order_id, key="k1")
    escaped = "2026/11%20%231%20%3F%C3%A9"
    assert till_api.refund(escaped).json()["points"] == -450


# -- who is let in ---------------------------------------------------------------------------------

ENDPOINTS = ["identify", "orders", "orders/o1/refunds", "orders/o1/claim", "redemptions"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("body", [b"", b"{}", b"no json"])
def test_without_a_tills_token_nothing_is_told_whatever_is_sent(quick_api, path, body):
    for header in ("", "Bearer", "Bearer ", "Bearer wrong", "Bearer \xff", "Basic eA==", "wrong"):
        answer = quick_api.client.post(
            f"/api/v1/{path}", content=body, headers=[(b"authorization", header.encode("latin-1"))]
        )
        assert error(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert error(quick_api.client.post(f"/api/v1/{path}", content=body)) == (401, "unauthorized")


def test_tills_see_the_orders_and_visits_of_their_own_cafe_only(quick_api):
    from core.services import cafes

    quick_api.database.write_now(
        cafes.add, "dorcol", "Dorćol", "RSD", "Europe/Belgrade", quick_api.now
    )
    theirs = quick_api.till("Bar", "dorcol")
    visit = quick_api.visit(quick_api.guest())
    quick_api.order()
    other = {"order_id": "o1", "total": "10.00", "currency": "RSD"}
    assert quick_api.post("orders", other, key="key of o1", token=theirs).status_code == 201
    named = {**other, "order_id": "o2", "visit": visit}
    answer = quick_api.post("orders", named, key="k2", token=theirs)
    assert error(answer) == (404, "unknown_visit")


# -- what is refused -------------------------------------------------------------------------------

ORDER = {"order_id": "o1", "total": "450.00", "currency": "RSD"}
ITEM = {"name": "Coffee", "quantity": 1, "price": "1.00"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total": 450}, "total: must be decimal text in quotes"),
        ({"total": 450.0}, "total: must be decimal text in quotes"),
        ({"total": None}, "total: must be decimal text in quotes"),
        ({"total": "450,00"}, "total: an amount is plain decimal text"),
        ({"total": "4e2"}, "total:"),
        ({"total": "NaN"}, "total:"),
        ({"total": "450.001"}, "total:"),
        ({"total": "٤٥٠"}, "total:"),
        ({"total": "9" * 400}, "total:"),
        ({"total": "-1.00"}, "total:"),
        ({"currency": "rsd"}, "currency:"),
        ({"currency": "din."}, "currency:"),
        ({"currency": 941}, "currency:"),
        ({"order_id": 17}, "order_id:"),
        ({"order_id": ""}, "order_id:"),
        ({"order_id": "x" * 129}, "order_id:"),
        ({"order_id": "a\0b"}, "order_id: must not hold control characters"),
        ({"order_id": "a\nb"}, "order_id:"),
        ({"visit": 1}, "visit:"),
        ({"visits": "v"}, "visits:"),
        ({"redemptions": "r1"}, "redemptions:"),
        ({"items": {}}, "items:"),
        ({"items": [ITEM] * 501}, "items:"),
        ({"items": [{**ITEM, "price": 1}]}, "items.0.price: must be decimal text"),
        ({"items": [{**ITEM, "price": "x"}]}, "price:"),
        ({"items": [{**ITEM, "quantity": 0.5}]}, "items.0.quantity: must be an integer or decimal"),
        ({"items": [{**ITEM, "quantity": True}]}, "items.0.quantity:"),
        ({"items": [{**ITEM, "quantity": 10**400}]}, "items.0.quantity:"),
        ({"items": [{**ITEM, "name": None}]}, "items.0.name:"),
        ({"paid_at": "2026-11-22T13:00:00"}, "paid_at: must be a time with its zone"),
        ({"paid_at": "2026-11-22"}, "paid_at:"),
        ({"paid_at": 1763812800}, "paid_at:"),
        ({"paid_at": "1763812800"}, "paid_at:"),
        ({"paid_at": "2026-02-30T13:00:00Z"}, "paid_at:"),
        ({"paid_at": "0001-01-01T00:00:00+14:00"}, "paid_at:"),
        ({"paid_at": "2026-11-24T13:00:00Z"}, "paid_at: this time is still to come"),
    ],
)
def test_an_order_that_can_not_be_meant_is_refused_with_what_is_wrong(quick_api, change, said):
    answer = quick_api.post("orders", {**ORDER, **change}, key="k")
    assert error(answer) == (400, "invalid")
    assert answer.json()["error"]["message"].startswith(said)
    assert quick_api.count(tables.orders) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"[" * 100_000,
        b'{"order_id": NaN}',
        json.dumps({**ORDER, "order_id": "\ud800"}).encode(),
    ],
)
def test_what_is_no_json_object_is_refused_everywhere(quick_api, body):
    for path in ENDPOINTS:
        assert error(quick_api.post(path, body, key="k")) == (400, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"qr": None},
        {"qr": "x", "code": "123456"},
        {"code": 123456},
        {"qr": "x" * 1001},
        {"name": "Ana"},
    ],
)
def test_identify_takes_exactly_one_of_qr_code_and_phone(quick_api, body):
    assert error(quick_api.post("identify", body)) == (400, "invalid")


@pytest.mark.parametrize("key", [None, "", "k" * 129, "a\tb"])
def test_orders_and_refunds_need_an_idempotency_key(quick_api, key):
    for path, body in (("orders", ORDER), ("orders/o1/refunds", {"refund_id": "r1"})):
        assert error(quick_api.post(path, body, key=key)) == (400, "invalid")


def test_a_refund_of_nothing_or_less_is_refused(quick_api):
    quick_api.order()
    for amount in ("0.00", "-1.00"):
        assert error(quick_api.refund(amount=amount)) == (400, "invalid")


@pytest.mark.parametrize("order_id", ["x" * 129, "a%00b", "%FF%09"])
def test_an_order_id_in_the_address_is_as_strict_as_in_a_body(quick_api, order_id):
    assert error(quick_api.refund(order_id)) == (400, "invalid")
    assert error(quick_api.claim("v", order_id)) == (400, "invalid")


def test_more_than_a_mebibyte_is_too_large(quick_api):
    largest = b" " * (1024 * 1024 - 2) + b"{}"
    assert error(quick_api.post("orders", largest, key="k")) == (400, "invalid")
    assert error(quick_api.post("orders", largest + b" ", key="k")) == (413, "too_large")


def test_other_addresses_and_methods_are_refused_in_json_too(quick_api):
    client = quick_api.client
    for path in ("", "nothing", "orders/", "orders/o1", "redemptions/1"):
        assert error(quick_api.post(path, {})) == (404, "not_found")
    assert error(client.get("/api/v1/orders")) == (405, "method_not_allowed")
    assert client.get("/api/v1/orders").headers["allow"] == "POST"


# -- anything at all -------------------------------------------------------------------------------

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_FIELDS = {
    "order_id": st.sampled_from(["o1", "o2"]) | _VALUES,
    "total": st.from_regex(r"-?[0-9]{1,15}(\.[0-9]{0,4})?", fullmatch=True) | _VALUES,
    "currency": st.sampled_from(["RSD", "EUR", "JPY"]) | _VALUES,
    "visit": st.none() | _VALUES,
    "items": st.lists(
        st.fixed_dictionaries(
            {
                "name": st.text(max_size=20),
                "quantity": st.integers() | st.decimals().map(str),
                "price": st.decimals(allow_nan=True).map(str),
            }
        ),
        max_size=3,
    ),
    "paid_at": st.datetimes().map(lambda at: at.isoformat() + "Z") | _VALUES,
    "refund_id": st.sampled_from(["r1", "r2"]) | _VALUES,
    "amount": st.decimals(places=2).map(str) | _VALUES,
    "qr": st.text(),
    "code": st.text() | st.from_regex(r"[0-9]{6}", fullmatch=True),
    "phone": st.text(),
}


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from([*ENDPOINTS, "orders/o2/refunds"]),
    body=st.fixed_dictionaries({}, optional=_FIELDS),
    key=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=5),
)
def test_nothing_that_tills_may_send_is_a_fault_of_ours(quick_api: TillApi, path, body, key):
    answer = quick_api.post(path, json.dumps(body).encode(), key=key.strip() or "k")
    assert answer.status_code < 500
    if answer.status_code >= 400:
        error(answer)
