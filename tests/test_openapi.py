"""The OpenAPI document: valid, complete, and true of what the till API really answers."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.routing import Route

from core.api import problems, routes
from core.api.openapi import document
from core.services import cafes
from tests.support.till_api import PHONE, serving

PAGE = Path(__file__).parents[1] / "docs" / "till-api.md"
TOO_LARGE = b" " * (1024 * 1024 + 1)


@pytest.fixture
def api(sqlite_url):
    with serving(sqlite_url) as api:
        yield api


def operations():
    """(method, path) → operation, of every address but the document's own."""
    return {
        (method, path): operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if path != "/api/v1/openapi.json"
    }


# -- one request for each answer that the document promises ----------------------------------------


def identify_by(body, times=1, **guests):
    def request(api):
        for name in guests.values():
            api.guest(name, phone=PHONE)
        for _ in range(times - 1):
            api.post("identify", body)
        return api.post("identify", body)

    return request


def code_used(api):
    card = api.card(api.guest())
    api.post("identify", {"qr": card.qr})
    return api.post("identify", {"qr": card.qr}, token=api.till("Door"))


def twice(request):
    def again(api):
        request(api)
        return request(api)

    return again


def after_order(request):
    def then(api):
        api.order()
        return request(api)

    return then


def refund(**more):
    return lambda api: api.refund(**more)


def conflicting_refund(api):
    api.refund(amount="1.00")
    return api.refund(amount="2.00")


def claim(api):
    return api.claim(api.visit(api.guest()))


def claim_twice(api):
    visit = api.visit(api.guest())
    api.claim(visit)
    return api.claim(visit)


def claim_for_two(api):
    claim(api)
    return api.claim(api.visit(api.guest("Bora")))


def claim_late(api):
    api.wait(hours=49)
    return claim(api)


def picked(then, cost=100):
    """A guest has picked a reward, of which `then` makes a request."""

    def request(api):
        return then(api, api.pick(api.collector(), api.reward(cost=cost)))

    return request


def confirmed(then):
    def request(api, redemption):
        api.confirm(redemption.id)
        return then(api, redemption)

    return picked(request)


def cancelled(then):
    def request(api, redemption):
        api.cancel(redemption.id)
        return then(api, redemption)

    return picked(request)


def over(then):
    def request(api, redemption):
        api.wait(minutes=10)
        return then(api, redemption)

    return picked(request)


def started(api, visit=None, reward=None, **terms):
    """By the till, of a guest with 450 points whose card it has scanned."""
    guest = api.collector()
    reward = reward or api.reward(**terms)
    return api.redeem(visit=visit or api.visit(guest), reward_ids=[reward])


def asked(api):
    guest = api.collector()
    visit = api.post("identify", {"code": api.card(guest).code}).json()["visit"]
    return api.redeem(visit=visit, reward_ids=[api.reward()]).json()


def wrong_codes(api):
    for _ in range(10):
        api.redeem(code="AAAA-2222")
    return api.redeem(code="AAAA-2222")


def elsewhere(then):
    def request(api, redemption):
        add = ("kod-ane", "Kod Ane", "RSD", "Europe/Belgrade", api.now)
        api.database.write_now(cafes.add, *add)
        api.token = api.till("Bar", "kod-ane")
        return then(api, redemption)

    return picked(request)


def same_key(api):
    guest, reward = api.collector(), api.reward()
    api.confirm(api.pick(guest, reward).id)
    return api.confirm(api.pick(guest, reward).id)


def spent_meanwhile(api):
    guest = api.collector()
    redemption = api.pick(guest, api.reward(cost=450))
    api.refund(f"of {guest}", amount="1.00")
    return api.confirm(redemption.id)


def scan(api, redemption):
    return api.redeem(qr=redemption.qr)


def confirm(api, redemption):
    return api.confirm(redemption.id, "another key")


def cancel(api, redemption):
    return api.cancel(redemption.id)


IDENTIFY = ("post", "/api/v1/identify")
ORDERS = ("post", "/api/v1/orders")
REFUNDS = ("post", "/api/v1/orders/{order_id}/refunds")
CLAIM = ("post", "/api/v1/orders/{order_id}/claim")
REDEEM = ("post", "/api/v1/redemptions")
CONFIRM = ("post", "/api/v1/redemptions/{redemption_id}/confirm")
CANCEL = ("post", "/api/v1/redemptions/{redemption_id}/cancel")

ANSWERS = {
    (IDENTIFY, 200, None): identify_by({"phone": PHONE}, one="Ana"),
    (IDENTIFY, 404, "unknown_code"): identify_by({"code": "000000"}),
    (IDENTIFY, 409, "ambiguous"): identify_by({"phone": PHONE}, one="Ana", two="Bora"),
    (IDENTIFY, 409, "code_used"): code_used,
    (IDENTIFY, 422, "wrong_kind"): lambda api: api.post("identify", {"qr": "MALVAR1." + "a" * 43}),
    (IDENTIFY, 429, "locked"): identify_by({"code": "000000"}, times=11),
    (ORDERS, 201, None): lambda api: api.order(),
    (ORDERS, 200, None): twice(lambda api: api.order()),
    (ORDERS, 404, "unknown_visit"): lambda api: api.order(visit="none"),
    (ORDERS, 404, "unknown_redemption"): lambda api: api.order(redemptions=["none"]),
    (ORDERS, 409, "conflict"): after_order(lambda api: api.order(total="1.00")),
    (ORDERS, 422, "wrong_currency"): lambda api: api.order(currency="EUR"),
    (REFUNDS, 201, None): after_order(refund()),
    (REFUNDS, 200, None): after_order(twice(refund())),
    (REFUNDS, 202, None): refund(),
    (REFUNDS, 409, "conflict"): conflicting_refund,
    (REFUNDS, 409, "too_much"): after_order(refund(amount="450.01")),
    (CLAIM, 201, None): after_order(claim),
    (CLAIM, 200, None): after_order(claim_twice),
    (CLAIM, 404, "unknown_order"): claim,
    (CLAIM, 404, "unknown_visit"): after_order(lambda api: api.claim("none")),
    (CLAIM, 409, "already_claimed"): after_order(claim_for_two),
    (CLAIM, 410, "too_late"): after_order(claim_late),
    (REDEEM, 200, None): picked(scan),
    (REDEEM, 201, None): started,
    (REDEEM, 404, "unknown_code"): lambda api: api.redeem(code="AAAA-2222"),
    (REDEEM, 404, "unknown_redemption"): elsewhere(scan),
    (REDEEM, 404, "unknown_visit"): lambda api: started(api, visit="none"),
    (REDEEM, 404, "unknown_reward"): lambda api: started(api, reward="none"),
    (REDEEM, 409, "already_confirmed"): confirmed(scan),
    (REDEEM, 409, "insufficient"): lambda api: started(api, cost=451),
    (REDEEM, 409, "not_available"): lambda api: started(api, stock=0),
    (REDEEM, 410, "cancelled"): cancelled(scan),
    (REDEEM, 410, "expired"): over(scan),
    (REDEEM, 422, "wrong_kind"): lambda api: api.redeem(qr=api.card(api.guest()).qr),
    (REDEEM, 429, "locked"): wrong_codes,
    (CONFIRM, 200, None): picked(confirm),
    (CONFIRM, 400, "invalid"): lambda api: api.post("redemptions/r/confirm", {}),
    (CONFIRM, 401, "unauthorized"): lambda api: api.confirm("r", token="no"),
    (CONFIRM, 404, "unknown_redemption"): lambda api: api.confirm("none"),
    (CONFIRM, 409, "already_confirmed"): confirmed(confirm),
    (CONFIRM, 409, "awaiting_guest"): lambda api: api.confirm(asked(api)["id"]),
    (CONFIRM, 409, "conflict"): same_key,
    (CONFIRM, 409, "insufficient"): spent_meanwhile,
    (CONFIRM, 410, "cancelled"): cancelled(confirm),
    (CONFIRM, 410, "expired"): over(confirm),
    (CANCEL, 200, None): picked(cancel),
    (CANCEL, 401, "unauthorized"): lambda api: api.post("redemptions/r/cancel", {}, token="no"),
    (CANCEL, 404, "unknown_redemption"): lambda api: api.cancel("none"),
    (CANCEL, 409, "already_confirmed"): confirmed(cancel),
    (CANCEL, 410, "expired"): over(cancel),
}
for _operation in (IDENTIFY, ORDERS, REFUNDS, CLAIM, REDEEM):
    _path = _operation[1].removeprefix("/api/v1/").format(order_id="o1")
    ANSWERS |= {
        (_operation, 400, "invalid"): lambda api, path=_path: api.post(path, {}, key="k"),
        (_operation, 401, "unauthorized"): lambda api, path=_path: api.post(path, {}, token="no"),
        (_operation, 413, "too_large"): lambda api, path=_path: api.post(path, TOO_LARGE),
    }


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    ANSWERS,
    ids=lambda value: value[1] if isinstance(value, tuple) else str(value),
)
def test_an_answer_is_as_the_document_describes_it(api, operation, status, code):
    answer = ANSWERS[operation, status, code](api)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    described = operations()[operation]["responses"][str(status)]
    schema = described["content"]["application/json"]["schema"]
    components = {"components": document()["components"]}
    Draft202012Validator({**schema, **components}).validate(answer.json())
    assert code is None or answer.json()["error"]["code"] == code
    assert set(described.get("headers", {})) <= {name.title() for name in answer.headers}


def test_every_answer_of_the_document_is_tried_above_and_no_other():
    described = set()
    for operation, said in operations().items():
        for status, response in said["responses"].items():
            codes = response["description"].split(" · ") if status >= "400" else [None]
            described |= {(operation, int(status), code and code.strip("`")) for code in codes}
    assert described == set(ANSWERS)


def test_every_code_of_a_problem_is_in_the_document_or_holds_for_every_address():
    told = {code for _, _, code in ANSWERS if code}
    everywhere = {"not_found", "method_not_allowed", "internal", "unavailable"}
    assert told | everywhere == set(problems.STATUSES)


# -- the document itself ---------------------------------------------------------------------------


def test_the_document_is_valid_and_served_to_everybody(api):
    served = api.client.get("/api/v1/openapi.json")
    assert served.status_code == 200
    assert served.json() == json.loads(json.dumps(document()))
    assert served.json()["openapi"].startswith("3.1")
    validate(served.json())


def test_it_describes_every_route_and_no_other(api):
    *_, mount = routes(api.database, lambda: api.now)
    real = {
        (method.lower(), "/api/v1" + route.path.replace(":path", ""))
        for route in mount.routes
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    documented = {*operations(), ("get", "/api/v1/openapi.json")}
    assert real == documented


def test_what_is_refused_for_its_shape_the_document_refuses_too():
    """An integrator who validates by the document learns it before sending."""
    schema = {"$ref": "#/components/schemas/Order", "components": document()["components"]}
    order = {"order_id": "o1", "total": "1.00", "currency": "RSD"}
    validator = Draft202012Validator(schema)
    validator.validate(order)
    for wrong in ({"total": 1}, {"currency": "rsd"}, {"order_id": ""}, {"visits": "v"}):
        assert not validator.is_valid({**order, **wrong})


# -- its page --------------------------------------------------------------------------------------


def test_the_page_for_integrators_names_every_address_and_every_code():
    page = PAGE.read_text()
    assert [path for path in document()["paths"] if path not in page] == []
    assert [code for code in problems.STATUSES if f"`{code}`" not in page] == []
