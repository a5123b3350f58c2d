"""The rooms: what is set up in each of them, and what the log says of it."""

from __future__ import annotations

import ast
import re
from html import unescape

import sqlalchemy as sa

from core.services import tills
from core.storage import tables
from portal.log import HAPPENED
from tests.portal.around import written
from tests.support.portal import PASSWORD, Browser, said
from tests.support.running import Running
from tests.test_repository import ROOT


def test_a_till_s_token_is_shown_once_and_works(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    owner = browsers["owner"]
    page = owner.send("/portal/tills", {"cafe": "bife", "name": "Terrace"}).text
    token = re.search(r"mt_[\w-]+", page).group()
    assert "mt_" not in owner.get("/portal/tills").text
    till = malva.database.read_now(tills.by_token, token)
    renewed = owner.send(f"/portal/tills/{till.id}/token").text
    assert malva.database.read_now(tills.by_token, token) is None
    token = re.search(r"mt_[\w-]+", renewed).group()
    assert malva.database.read_now(tills.by_token, token).id == till.id
    owner.send(f"/portal/tills/{till.id}/revoke")
    assert malva.database.read_now(tills.by_token, token) is None
    assert owner.send(f"/portal/tills/{till.id}/token").status_code == 404


def test_the_programme_says_what_a_typical_order_would_give_before_it_is_saved(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    owner = browsers["owner"]
    wanted = {"name": "Club", "unit": "stamps", "earn_minor": "0,50", "earn_points": "2"}
    before = written(malva)
    piece = owner.send("/portal/programme/2/preview", wanted).text
    assert "5 RSD" in piece.replace("\u00a0", " ") or "stamps" in piece
    assert "<html" not in piece
    whole = owner.send("/portal/programme/2", {**wanted, "preview": "1"})
    assert (whole.status_code, "stamps</b>" in whole.text) == (200, True)
    assert written(malva) == before
    assert owner.send("/portal/programme/2", wanted).status_code == 303
    p = tables.programmes.c
    row = malva.database.read_now(
        lambda tx: tx.execute(
            sa.select(p.name, p.unit, p.earn_minor, p.earn_points).where(p.id == 2)
        ).one()
    )
    assert tuple(row) == ("Club", "stamps", 50, 2)


def test_a_product_comes_changes_and_goes(malva: Running, browsers: dict[str, Browser]) -> None:
    owner = browsers["owner"]
    pie = {"programme": "1", "name_en": "Pie", "name_sr": "Pita", "sku": "pie", "points": "40"}
    assert owner.send("/portal/products/new", pie).status_code == 303
    taken = owner.send("/portal/products/new", pie)
    assert (taken.status_code, "article number already" in said(taken, "bad")) == (422, True)
    assert 'value="Pita"' in taken.text, "what was written is still there"
    c = tables.products.c
    id_ = malva.database.read_now(lambda tx: tx.scalar(sa.select(c.id).where(c.sku == "pie")))
    owner.send(f"/portal/products/{id_}", {**pie, "points": "50", "price": "3,20"})
    assert "50 points" in owner.get("/portal/products").text
    assert "100 points" in owner.send("/portal/products/preview", {**pie, "points": "50"}).text
    owner.send(f"/portal/products/{id_}/off")
    active = sa.select(c.active).where(c.id == id_)
    assert malva.database.read_now(lambda tx: tx.scalar(active)) is False


def test_a_product_without_points_of_its_own_earns_by_its_price(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    owner = browsers["owner"]
    tea = {"programme": "1", "name_en": "Tea", "points": "", "price": "180,00"}
    assert "360 points" in owner.send("/portal/products/preview", tea).text
    assert owner.send("/portal/products/new", tea).status_code == 303
    assert "by its price" in owner.get("/portal/products").text
    nothing = owner.send("/portal/products/new", {**tea, "price": ""})
    assert (nothing.status_code, "of no use" in said(nothing, "bad")) == (422, True)


def test_an_employee_comes_changes_and_goes(malva: Running, browsers: dict[str, Browser]) -> None:
    owner = browsers["owner"]
    fields = {"login": "nina", "name": "Nina", "role": "manager", "cafe": ["bife", "zrno"]}
    short = owner.send("/portal/employees/new", {**fields, "password": "short"})
    assert (short.status_code, 'value="nina"' in short.text) == (422, True)
    assert "short" not in re.sub(r"<input[^>]*>", "", short.text).replace("shorter", "")
    owner.send("/portal/employees/new", {**fields, "password": PASSWORD})
    c = tables.staff.c
    id_ = malva.database.read_now(lambda tx: tx.scalar(sa.select(c.id).where(c.login == "nina")))
    with Browser(malva.url) as nina:
        nina.sign_in("nina")
        assert "ZRNO" in nina.get("/portal/tills").text
        owner.send(f"/portal/employees/{id_}", {"name": "N.", "role": "manager", "cafe": "bife"})
        assert "ZRNO" not in nina.get("/portal/tills").text
        owner.send(f"/portal/employees/{id_}/password", {"password": "another pass 1"})
        assert nina.get("/portal").status_code == 303
        assert nina.sign_in("nina", "another pass 1").status_code == 303
        owner.send(f"/portal/employees/{id_}/off")
        assert nina.get("/portal").status_code == 303
        assert nina.sign_in("nina", "another pass 1").status_code == 401


def test_the_log_goes_back_page_by_page(malva: Running, browsers: dict[str, Browser]) -> None:
    def fill(tx) -> None:
        values = {"at": malva.clock(), "kind": "till_locked", "cafe_id": 2, "data": {}}
        for number in range(120):
            data = {"wrong_codes": 1000 + number}
            tx.execute(sa.insert(tables.event_log).values(**{**values, "data": data}))

    malva.database.write_now(fill)
    owner, seen = browsers["owner"], []
    where: str | None = "/portal/log?cafe=zrno"
    while where:
        page = owner.get(where).text
        seen += re.findall(r"minute: (\d+) wrong", page)
        found = re.search(r'<a class="button quiet" href="(/portal/log[^"]*)"', page)
        where = unescape(found.group(1)) if found else None
    assert seen == [str(1000 + number) for number in reversed(range(120))]
    piece = owner.get("/portal/log", headers={"HX-Request": "true"}).text
    assert "<html" not in piece


def test_every_kind_of_entry_has_its_sentence() -> None:
    """What the services log is what people read: a kind without words is shown as it is."""
    kinds = set()
    for path in (ROOT / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "eventlog.log",
                "entries.log",
                "_log",
            ):
                kinds |= {
                    argument.value
                    for argument in node.args[1:2]
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                }
    assert "staff_off" in kinds
    assert kinds - set(HAPPENED) == set()
