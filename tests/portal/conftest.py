"""A Malva with two cafes and their staff, and browsers at its portal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from core.services import bonus_rules, devices, products
from core.services.products import Draft
from tests.end_to_end.around import plugins
from tests.portal.around import WHO, session_of
from tests.support.portal import Browser, hire
from tests.support.running import Running, run


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('portal')}/malva.db"
    with run(url, plugins(), cafes=("bife", "zrno")) as running:
        hire(running, "olga", "owner")
        hire(running, "mira", "manager", "bife")
        hire(running, "cica", "cashier", "bife")
        hire(running, "zika", "cashier", "zrno")
        hire(running, "dara", "cashier", "bife")
        for slug in ("bife", "zrno"):
            running.add_till(slug, f"Bar of {slug}")
        olga = session_of(running, "olga").member
        for till in (1, 2):
            running.database.write_now(devices.bind, olga, till, "Tablet", running.clock())
        for programme in (1, 2):
            draft = Draft({"en": f"Cake {programme}"}, "cake", 6, 42000)
            running.database.write_now(products.add, olga, programme, draft, running.clock())
            bonus = bonus_rules.Draft("welcome", {}, {"points": 50})
            running.database.write_now(bonus_rules.add, olga, programme, bonus, running.clock())
        yield running


@pytest.fixture(scope="module")
def browsers(malva: Running) -> Iterator[dict[str, Browser]]:
    """One for each role, signed in."""
    found = {role: Browser(malva.url) for role in WHO}
    for role, browser in found.items():
        assert browser.sign_in(WHO[role]).status_code == 303
    yield found
    for browser in found.values():
        browser.http.close()


@pytest.fixture
def stranger(malva: Running) -> Iterator[Browser]:
    malva.clock.move(timedelta(minutes=2))  # what others tried from this address is forgotten
    with Browser(malva.url) as browser:
        yield browser
