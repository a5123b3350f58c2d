"""`malva demo`: a sample chain in a database of its own, and a page that shows the whole loop."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import sqlalchemy as sa

from core.app import utc_now
from core.domain.money import to_major
from core.keys import Keys
from core.sample import build, by_hand
from core.sample.shop import CAFES, MENU, names_of
from core.services import pins, staff, tills
from core.services.desk import Demo, DemoCafe, DemoProduct
from core.serving import listening_on, serve
from core.settings import Settings
from core.storage.alone import alone
from core.storage.database import Database
from core.storage.tables import cafes, kept
from core.storage.tables import staff as employees
from core.storage.tx import Tx

FOLDER = Path(".demo")
HOST = "127.0.0.1"
LOGIN = "owner"
CASHIERS = {"bife": ("mila", "Mila"), "harats": ("luka", "Luka")}
"""Cafe → login and name of who stands behind its counter."""
FEEDS = "harats"
"""Where a visitor finds an alarm about the cashier, as an owner does."""
PIN = "2580"

PLUGINS = """\
# The demo's own plugins; a bot's token put here works, too (see plugins.toml and docs/channels/).
[business]
name = "Malva demo"
contact = "hello@malva.example"

[channels.webchat]
module = "channels.webchat"

[pages.portal]
module = "portal"
"""


class Passwords(NamedTuple):
    """`cashiers`: both have the same one."""

    owner: str
    cashiers: str


def run(port: int, reset: bool) -> None:
    """Serves the demo on 127.0.0.1; `reset` throws its data away first."""
    database_url = f"sqlite:///{FOLDER / 'malva.db'}"
    FOLDER.mkdir(exist_ok=True)
    if reset:
        with listening_on(HOST, port), alone(database_url):  # one that still runs keeps its data
            shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(exist_ok=True)
    plugins = FOLDER / "plugins.toml"
    if not plugins.exists():
        plugins.write_text(PLUGINS, encoding="utf-8")
    address = f"http://{HOST}:{port}"
    settings = Settings(
        database_url=database_url,
        public_url=address,
        secret_key=_secret_key(),
        plugins=plugins,
    )
    passwords = Passwords(_password("owner-password"), _password("cashier-password"))
    set_up = partial(_set_up, address=address, passwords=passwords)
    serve(settings, plugins, HOST, port, demo=set_up, ready=partial(_tell, passwords))


def _secret_key() -> str:
    return _kept_secret("secret-key", Keys.generate)


def _password(name: str) -> str:
    return _kept_secret(name, lambda: secrets.token_urlsafe(9))


def _kept_secret(name: str, make: Callable[[], str]) -> str:
    """Made at the first start, kept for the next."""
    path = FOLDER / name
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(make())
    return path.read_text().strip()


def _set_up(database: Database, keys: Keys, *, address: str, passwords: Passwords) -> Demo:
    now = utc_now()
    if not database.read_now(_is_filled):
        database.write_now(build, keys, now)
        owner, cashiers = map(staff.hash_password, passwords)
        database.write_now(_hire, owner, cashiers, pins.hash_pin(PIN), now)
        for slug in CAFES:
            database.write_now(_add_till, slug)
    return Demo(address, [database.read_now(_cafe, slug) for slug in CAFES])


def _is_filled(tx: Tx) -> bool:
    return tx.execute(sa.select(kept.c.key).where(kept.c.owner == "demo")).first() is not None


def _hire(tx: Tx, owner: str, cashiers: str, pin: str, now: datetime) -> None:
    """By the hashes of their passwords. The cashiers' PIN is there from the start, so that they
    need no password unless a visitor wants to see how a PIN is chosen."""
    staff.add(tx, LOGIN, "Owner", "owner", (), owner, now)
    for slug, (login, name) in CASHIERS.items():
        row_id = staff.add(tx, login, name, "cashier", [slug], cashiers, now)
        tx.execute(sa.update(employees).where(employees.c.id == row_id).values(pin_hash=pin))
    by_hand.enter(tx, FEEDS, CASHIERS[FEEDS][0], now)


def _add_till(tx: Tx, slug: str) -> None:
    """The demo's page is the cashier, so the demo alone keeps its tills' tokens."""
    token = tills.add(tx, slug, "Bar", None, utc_now())
    tx.execute(sa.insert(kept).values(owner="demo", key=f"till:{slug}", value=token))


def _cafe(tx: Tx, slug: str) -> DemoCafe:
    cafe = tx.execute(sa.select(cafes.c.name, cafes.c.currency).where(cafes.c.slug == slug)).one()
    token = tx.scalar(
        sa.select(kept.c.value).where(kept.c.owner == "demo", kept.c.key == f"till:{slug}")
    )
    products = [DemoProduct(row[0], names_of(row), to_major(row[4], cafe.currency)) for row in MENU]
    return DemoCafe(slug, cafe.name, cafe.currency, token, products)


def _tell(passwords: Passwords, address: str) -> None:
    click.echo(
        f"\n  Malva demo         {address}/\n"
        f"  the guest's chat   {address}/chat\n"
        f"  join a cafe        {address}/join\n"
        f"  the owner's portal {address}/portal\n"
        f"  the cashier's page {address}/till\n\n"
        f"  owner              {LOGIN} / {passwords.owner}\n"
    )
    for slug, (login, _) in CASHIERS.items():
        click.echo(f"  cashier of {CAFES[slug]:<7} {login} / {passwords.cashiers}, PIN {PIN}")
    click.echo(
        "\n  The cashier's page asks once who it belongs to: sign in as the owner, choose a till;\n"
        "  from then on a cashier's login and PIN open it.\n\n"
        "  Ctrl+C stops it; make demo RESET=1 starts afresh.\n"
    )
