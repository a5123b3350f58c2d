"""A Malva with two cafes, their tills and staff, and browsers that may become tills."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.support.portal import hire
from tests.support.running import Running, run
from tests.support.till import TillBrowser

BAR, TERRACE, ZRNO = 1, 2, 3
"""The rows of the tills: two of `bife`, one of `zrno`."""


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('till')}/malva.db"
    with run(url, cafes=("bife", "zrno")) as running:
        hire(running, "olga", "owner")
        hire(running, "mira", "manager", "bife")
        hire(running, "cica", "cashier", "bife")
        hire(running, "zika", "cashier", "zrno")
        for slug, name in (("bife", "Bar"), ("bife", "Terrace"), ("zrno", "Counter")):
            running.add_till(slug, name)
        yield running


@pytest.fixture
def browser(malva: Running) -> Iterator[Callable[[], TillBrowser]]:
    """Another strange browser, each time."""
    malva.clock.move(timedelta(minutes=2))  # what others tried from this address is forgotten
    opened: list[TillBrowser] = []

    def another(language: str = "en") -> TillBrowser:
        opened.append(TillBrowser(malva.url, language))
        return opened[-1]

    yield another
    for one in opened:
        one.http.close()
