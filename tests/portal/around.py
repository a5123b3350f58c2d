"""The portal's addresses, and who stands before them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

import portal
from core.services import sessions
from core.storage import tables
from portal.office import Room
from tests.support.portal import Browser
from tests.support.running import Running

WHO = {"owner": "olga", "manager": "mira", "cashier": "cica"}
ROWS = {"employees": 5}
"""What of the cafe `bife` an address of a room names: everywhere else it has the first row."""
FOREIGN = {"employees": 4}
"""The same of `zrno`: everywhere else it has the second row."""


def session_of(malva: Running, login: str) -> sessions.Session:
    with Browser(malva.url) as browser:
        browser.sign_in(login)
        found = malva.database.read_now(sessions.of_token, browser.cookie, malva.clock())
        assert found is not None
        return found


def addresses(door: type[Any], rooms: Iterable[Any]) -> list[tuple[str, str, str | None]]:
    """Method, path and action of every address in these rooms that takes a session."""
    office = door(_Anything())
    found = [route for room in rooms for route in room(office).routes()]
    return [
        ("POST" if "POST" in route.methods else "GET", route.path, route.action)
        for route in found
        if isinstance(route, Room)
    ]


class _Anything:
    def __getattr__(self, name: str) -> _Anything:
        return self


ADDRESSES = addresses(portal.Office, portal.ROOMS)


def path_to(path: str, rows: dict[str, int], other: int = 1) -> str:
    """The address with a row in it: that of its room, or `other`."""
    room = path.removeprefix("/portal/").split("/")[0]
    return path.replace("{id}", str(rows.get(room, other)))


def written(malva: Running) -> list[tuple]:
    """All that a form of the portal could have changed."""
    looked = (
        tables.staff, tables.tills, tables.products, tables.programmes, tables.rewards,
        tables.bonus_rules,
    )  # fmt: skip

    def read(tx) -> list[tuple]:
        return [
            tuple(row) for table in looked for row in tx.execute(sa.select(table).order_by("id"))
        ]

    return malva.database.read_now(read)
