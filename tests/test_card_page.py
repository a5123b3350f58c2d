"""The guest's live card: what a look, the page's script and a till bring about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import httpx2
import pytest
import sqlalchemy as sa

from core.domain import codes
from core.services import cards, ledger, privacy
from core.storage.tables import leases
from tests.end_to_end.around import Till, plugins
from tests.support.running import Running, run
from tests.test_pages import new_guest


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run(f"sqlite:///{tmp_path_factory.mktemp('card')}/malva.db", plugins()) as running:
        yield running


@pytest.fixture(scope="module")
def till(malva: Running) -> Iterator[Till]:
    with Till(malva.url, malva.add_till()) as till:
        yield till


@pytest.fixture
def http(malva: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=malva.url, timeout=20) as client:
        yield client


@pytest.fixture
def early_in_a_step(malva: Running) -> None:
    """So that the codes of one test are of one half minute."""
    into = malva.clock().timestamp() % codes.STEP_SECONDS
    malva.clock.move(timedelta(seconds=codes.STEP_SECONDS - into + 0.1))


def states(http: httpx2.Client, token: str) -> Iterator[dict]:
    """What the page is told, as it comes."""
    with http.stream("GET", f"/card/{token}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def test_looking_at_a_card_leases_no_code(malva: Running, http: httpx2.Client) -> None:
    guest, token = new_guest(malva)
    assert http.get(f"/card/{token}").status_code == 200
    assert list(islice(states(http, token), 1))
    of_guest = sa.select(leases.c.code).where(leases.c.guest_id == guest)
    assert malva.database.read_now(lambda tx: tx.execute(of_guest).all()) == []
    assert http.post(f"/card/{token}/code").status_code == 200
    assert len(malva.database.read_now(lambda tx: tx.execute(of_guest).all())) == 1


def test_a_card_is_nobody_else_s_to_keep_or_to_find(malva: Running, http: httpx2.Client) -> None:
    page = http.get(f"/card/{new_guest(malva)[1]}")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    policy = page.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://web.telegram.org")


def test_the_code_of_the_page_counts_at_the_till(
    malva: Running, http: httpx2.Client, till: Till
) -> None:
    _, token = new_guest(malva, name="Jelena")
    shown = http.post(f"/card/{token}/code").json()
    assert till.identify(code=shown["code"])["guest"]["name"] == "Jelena"
    assert till.identify(qr=http.post(f"/card/{token}/code").json()["text"])
    assert 0 < shown["turns_in"] <= 30 < shown["good_for"] <= 60
    assert shown["qr"].startswith("data:image/png;base64,")


@pytest.mark.usefixtures("early_in_a_step")
def test_a_code_that_was_used_gives_way_in_its_own_half_minute(
    malva: Running, http: httpx2.Client, till: Till
) -> None:
    _, token = new_guest(malva)
    first = http.post(f"/card/{token}/code").json()
    assert http.post(f"/card/{token}/code").json()["code"] == first["code"]
    till.identify(code=first["code"])
    assert http.post(f"/card/{token}/code").json()["code"] != first["code"]


def test_points_arrive_while_the_page_is_open(
    malva: Running, http: httpx2.Client, till: Till
) -> None:
    _, token = new_guest(malva, language="sr")
    told = states(http, token)
    assert next(told)["accounts"][0]["balance"] == "0 poena"
    visit = till.identify(code=http.post(f"/card/{token}/code").json()["code"])["visit"]
    next(told)  # the till has read the card
    till.order(f"order-{visit}", "450.00", visit=visit)
    account = next(told)["accounts"][0]
    assert account["balance"] == "450 poena"
    assert account["progress"] == 0.45
    assert "550 poena" in account["outlook"]
    assert [(entry["points"], entry["up"]) for entry in account["entries"]] == [
        ("+450 poena", True)
    ]
    assert "450 poena" in http.get(f"/card/{token}").text


def test_a_balance_below_zero_says_so(malva: Running, http: httpx2.Client, till: Till) -> None:
    guest, token = new_guest(malva)
    entry = {"programme_id": 1, "cafe_id": 1, "kind": "opening", "reference": "opening:test"}
    malva.database.write_now(
        lambda tx: ledger.add_entry(
            tx, guest_id=guest, points=-40, because=[], now=malva.clock(), **entry
        )
    )
    account = next(states(http, token))["accounts"][0]
    assert (account["balance"], account["progress"]) == ("-40 points", 0)


@pytest.mark.parametrize("token", ["forged", "a.b", "%00", "é", "x" * 3000])
def test_a_link_that_we_did_not_sign_opens_no_card(http: httpx2.Client, token: str) -> None:
    page = http.get(f"/card/{token}", headers={"Accept-Language": "ru"})
    assert page.status_code == 404
    assert '<html lang="ru">' in page.text
    assert http.post(f"/card/{token}/code").status_code == 404
    assert http.get(f"/card/{token}/events").status_code == 204


def test_a_link_that_was_revoked_opens_nothing_more(malva: Running, http: httpx2.Client) -> None:
    guest, token = new_guest(malva)
    malva.database.write_now(cards.revoke_links, guest)
    assert http.get(f"/card/{token}").status_code == 404
    assert http.post(f"/card/{token}/code").status_code == 404


def test_an_open_page_ends_when_its_guest_is_erased(malva: Running, http: httpx2.Client) -> None:
    guest, token = new_guest(malva)
    assert http.get(f"/card/{token}").status_code == 200
    malva.database.write_now(privacy.erase, guest, malva.clock())
    assert http.get(f"/card/{token}").status_code == 404
    assert http.get(f"/card/{token}/events").status_code == 204


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("sr", "sr-Latn"), ("ru", "ru")])
def test_the_card_speaks_its_guest_s_language(
    malva: Running, http: httpx2.Client, language: str, tag: str
) -> None:
    _, token = new_guest(malva, language=language)
    page = http.get(f"/card/{token}", headers={"Accept-Language": "en"})
    assert f'<html lang="{tag}">' in page.text
