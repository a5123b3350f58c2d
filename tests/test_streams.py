"""A server that stops ends its event streams in good order."""

from __future__ import annotations

import time

import httpx2
import pytest

from core import serving
from core.services import guests
from core.services.cards import link_token
from core.storage import tables
from tests.end_to_end.around import Visitor, plugins
from tests.support.running import Running, run


def card_token(malva: Running) -> str:
    def add(tx) -> str:
        facts = {"name": "Ana", "language": "en", "cafe_id": 1, "keys": malva.keys}
        guest = guests.add(tx, now=malva.clock(), **facts)
        row = tx.execute(tables.guests.select().where(tables.guests.c.id == guest)).one()
        return link_token(row, malva.keys)

    return malva.database.write_now(add)


def test_open_streams_keep_no_server_from_stopping(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with httpx2.Client(timeout=20) as http, run(sqlite_url, plugins()) as malva:
        with Visitor(malva.url) as visitor:
            visitor.starts()
            cookies = dict(visitor.http.cookies)
        chat = http.stream("GET", f"{malva.url}/chat/events", cookies=cookies)
        card = http.stream("GET", f"{malva.url}/card/{card_token(malva)}/events")
        chat_lines, card_lines = chat.__enter__().iter_lines(), card.__enter__().iter_lines()
        assert next(chat_lines).startswith("id: ")
        assert next(card_lines) == "event: state"
        begun = time.monotonic()
    assert time.monotonic() - begun < serving.GRACE
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == []
