"""Devices and PINs as services: who binds what, and what counts as a PIN."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.domain.roles import Member
from core.services import cafes, devices, pins, sessions, sign_in, staff, till_sessions, tills
from core.services.devices import Device
from core.services.errors import Forbidden, Missing, Rejected, SessionOver
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.shop import NOW

BIFE, ZRNO = 1, 2
WHO = {
    "olga": Member(1, "olga", "Olga", "owner", frozenset()),
    "mira": Member(2, "mira", "Mira", "manager", frozenset({BIFE})),
    "cica": Member(3, "cica", "Cica", "cashier", frozenset({BIFE})),
}
PIN = pins.hash_pin("4071")


@pytest.fixture
def shop(database_url: str) -> Iterator[Database]:
    """Two cafes with a till each, row 1 and row 2, and somebody of each role."""

    def set_up(tx: Tx) -> None:
        for slug in ("bife", "zrno"):
            cafes.add(tx, slug, slug.upper(), "RSD", "Europe/Belgrade", NOW)
            tills.add(tx, slug, "Bar", None, NOW)
        for login, member in WHO.items():
            slugs = ["bife"] if member.cafes else []
            staff.add(tx, login, member.name, member.role, slugs, "", NOW)

    database = Database(database_url)
    database.write_now(set_up)
    yield database
    database.close()


def bound(shop: Database, till: int = 1) -> str:
    return shop.write_now(devices.bind, WHO["olga"], till, "Tablet", NOW)


def entered(shop: Database, token: str, login: str = "cica") -> str:
    return shop.write_now(pins.choose, WHO[login].id, PIN, token, "a tablet", NOW)


# -- binding and revoking --------------------------------------------------------------------------


MAY = [("olga", 1), ("olga", 2), ("mira", 1)]
MAY_NOT = [("mira", 2, Missing), ("cica", 1, Forbidden), ("cica", 2, Forbidden)]


@pytest.mark.parametrize(("login", "till"), MAY)
def test_an_owner_binds_and_revokes_anywhere_and_a_manager_in_their_cafes(
    shop: Database, login: str, till: int
) -> None:
    token = shop.write_now(devices.bind, WHO[login], till, " Tablet ", NOW)
    device = shop.read_now(devices.of_token, token)
    assert device is not None
    assert (device.name, device.till.id) == ("Tablet", till)
    shop.write_now(devices.revoke, WHO[login], device.id, NOW)
    assert shop.read_now(devices.of_token, token) is None
    with pytest.raises(Missing):
        shop.write_now(devices.revoke, WHO[login], device.id, NOW)


@pytest.mark.parametrize(("login", "till", "refused"), MAY_NOT)
def test_nobody_else_binds_or_revokes(
    shop: Database, login: str, till: int, refused: type[Exception]
) -> None:
    token = bound(shop, till)
    with pytest.raises(refused):
        shop.write_now(devices.bind, WHO[login], till, "Tablet", NOW)
    with pytest.raises(refused):
        shop.write_now(devices.revoke, WHO[login], 1, NOW)
    assert shop.read_now(devices.of_token, token) is not None


def test_no_browser_is_bound_to_a_till_that_is_revoked(shop: Database) -> None:
    token = bound(shop)
    shop.write_now(tills.revoke, WHO["olga"], 1, NOW)
    assert shop.read_now(devices.of_token, token) is None
    assert shop.read_now(devices.everyone, WHO["olga"]) == []
    with pytest.raises(Missing):
        bound(shop)


def test_a_manager_sees_the_devices_of_their_cafes(shop: Database) -> None:
    bound(shop, 1)
    bound(shop, 2)
    assert [one.till_id for one in shop.read_now(devices.everyone, WHO["olga"])] == [1, 2]
    assert [one.till_id for one in shop.read_now(devices.everyone, WHO["mira"])] == [1]
    with pytest.raises(Forbidden):
        shop.read_now(devices.everyone, WHO["cica"])


def test_a_token_is_kept_as_a_hash_and_logged_nowhere(shop: Database) -> None:
    token = bound(shop)

    def all_of_it(tx: Tx) -> str:
        kept = (tables.devices, tables.event_log)
        return str([row for table in kept for row in tx.execute(sa.select(table)).all()])

    assert token not in shop.read_now(all_of_it)


# -- PINs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pin", ["", "407", "407140714", "40a1", "٤٠٧١", "40 71", "-407"])
def test_a_pin_has_four_to_eight_digits(pin: str) -> None:
    with pytest.raises(Rejected) as refused:
        pins.hash_pin(pin)
    assert refused.value.code == "pin"


@pytest.mark.parametrize(
    "pin", ["0000", "77777777", "1234", "0123", "98765", "7890", "2468", "1212", "121212", "90909"]
)
def test_a_pin_with_a_pattern_is_no_pin(pin: str) -> None:
    with pytest.raises(Rejected) as refused:
        pins.hash_pin(pin)
    assert refused.value.code == "pin_weak"


def test_a_pin_that_was_changed_while_its_hash_was_worked_out_opens_nothing(
    shop: Database,
) -> None:
    token = bound(shop)
    entered(shop, token)
    check = shop.read_now(sign_in.pin_to_check, "cica")
    assert sign_in.matches(check, "4071")
    shop.write_now(staff.clear_pin, WHO["mira"], WHO["cica"].id, NOW)
    assert shop.write_now(pins.sign_in_by, check, True, token, "a tablet", NOW) is None


def test_who_may_clear_a_pin(shop: Database) -> None:
    entered(shop, bound(shop), "mira")
    for login, refused in (("mira", Rejected), ("cica", Forbidden)):
        with pytest.raises(refused):
            shop.write_now(staff.clear_pin, WHO[login], WHO["mira"].id, NOW)
    assert shop.read_now(staff.one, WHO["olga"], WHO["mira"].id).pin
    shop.write_now(staff.clear_pin, WHO["olga"], WHO["mira"].id, NOW)
    assert not shop.read_now(staff.one, WHO["olga"], WHO["mira"].id).pin


# -- at work ---------------------------------------------------------------------------------------


def test_work_is_done_by_whoever_is_signed_in_at_that_very_moment(shop: Database) -> None:
    device = bound(shop)
    token = entered(shop, device)

    def where(tx: Tx, by: till_sessions.TillSession) -> tuple[str, str, str]:
        return by.member.login, by.till.name, by.till.cafe.slug

    on_till = till_sessions.on_till
    assert shop.write_now(on_till, token, device, NOW, where) == ("cica", "Bar", "bife")
    with pytest.raises(SessionOver):
        shop.write_now(on_till, token, bound(shop), NOW, where)
    with pytest.raises(SessionOver):
        shop.write_now(on_till, token, device, NOW + sessions.IDLE, where)
    shop.write_now(staff.switch_off, WHO["mira"], WHO["cica"].id, NOW)
    with pytest.raises(SessionOver):
        shop.write_now(on_till, token, device, NOW, where)


def test_the_last_few_who_signed_in_are_remembered_there(shop: Database) -> None:
    token = bound(shop)
    device = shop.read_now(devices.of_token, token)
    assert device is not None
    for minute, login in enumerate(("olga", "cica", "mira", "cica")):
        at = NOW + timedelta(minutes=minute)
        shop.write_now(pins.choose, WHO[login].id, PIN, token, "a tablet", at)
    assert regulars(shop, device) == ["cica", "mira", "olga"]
    shop.write_now(staff.clear_pin, WHO["olga"], WHO["mira"].id, NOW)
    assert regulars(shop, device) == ["cica", "olga"]
    shop.write_now(staff.switch_off, WHO["olga"], WHO["cica"].id, NOW)
    assert regulars(shop, device) == ["olga"]
    assert regulars(shop, device, days=61) == []
    other = shop.read_now(devices.of_token, bound(shop, 2))
    assert other is not None
    assert regulars(shop, other) == []


def regulars(shop: Database, device: Device, days: int = 0) -> list[str]:
    now = NOW + timedelta(days=days)
    return [one.login for one in shop.read_now(devices.regulars, device, now)]
