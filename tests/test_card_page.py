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
from core.services import cards, ledger, photos, privacy
from core.storage.tables import contacts, leases, lots, rewards
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


# -- rewards ---------------------------------------------------------------------------------------


def collector(malva: Running, points: int = 2500, **known) -> tuple[int, str]:
    guest, token = new_guest(malva, **known)
    entry = {"programme_id": 1, "cafe_id": 1, "kind": "opening", "reference": f"opening:{guest}"}
    malva.database.write_now(
        lambda tx: ledger.add_entry(
            tx, guest_id=guest, points=points, because=[], now=malva.clock(), **entry
        )
    )
    return guest, token


def pick(http: httpx2.Client, token: str, *rewards: object) -> httpx2.Response:
    return http.post(f"/card/{token}/redemptions", json={"rewards": list(rewards)})


def test_a_reward_from_the_page_to_the_till(
    malva: Running, http: httpx2.Client, till: Till
) -> None:
    _, token = collector(malva)
    told = states(http, token)
    (reward,) = next(told)["accounts"][0]["rewards"]
    assert (reward["name"], reward["cost"], reward["note"]) == ("Free coffee", "1,000 points", "")
    picked = pick(http, token, reward["id"])
    assert picked.status_code == 201, picked.text
    shown = picked.json()
    assert shown["text"].startswith("MALVAR1.")
    assert shown["qr"].startswith("data:image/png;base64,")
    assert 590 < shown["good_for"] <= 600
    (waiting,) = next(told)["accounts"][0]["picked"]
    assert (waiting["names"], waiting["points"]) == ("Free coffee", "1,000 points")
    held = till.post("redemptions", {"qr": shown["text"]}).json()
    assert till.post(f"redemptions/{held['id']}/confirm", {}, key="k1").status_code == 200
    account = next(state for state in told if not state["accounts"][0]["picked"])["accounts"][0]
    assert account["balance"] == "1,500 points"
    assert account["entries"][0]["why"] == "Reward: Free coffee"
    over = http.post(f"/card/{token}/redemptions/{shown['id']}/code")
    assert over.status_code == 410
    assert over.json() == {"id": shown["id"], "status": "confirmed", "said": "Redeemed. Enjoy it!"}


def test_neither_the_page_nor_its_events_hold_the_code_of_what_was_picked(
    malva: Running, http: httpx2.Client
) -> None:
    _, token = collector(malva)
    shown = pick(http, token, 1).json()
    seen = http.get(f"/card/{token}").text + json.dumps(next(states(http, token)))
    assert shown["id"] in seen
    assert shown["code"] not in seen
    assert shown["text"] not in seen
    again = http.post(f"/card/{token}/redemptions/{shown['id']}/code").json()
    assert (again["code"], again["text"]) == (shown["code"], shown["text"])


def test_cancelled_on_the_page_the_points_are_free_again(
    malva: Running, http: httpx2.Client
) -> None:
    _, token = collector(malva)
    shown = pick(http, token, 1).json()
    assert next(states(http, token))["accounts"][0]["available"] == 1500
    for _ in range(2):
        cancelled = http.post(f"/card/{token}/redemptions/{shown['id']}/cancel")
        assert cancelled.json()["status"] == "cancelled"
    assert next(states(http, token))["accounts"][0]["available"] == 2500


def test_what_is_held_stands_beside_the_balance_and_what_is_free_counts(
    malva: Running, http: httpx2.Client
) -> None:
    _, token = collector(malva, points=1400)
    told = states(http, token)
    assert next(told)["accounts"][0]["held"] == ""
    pick(http, token, 1)
    account = next(told)["accounts"][0]
    assert account["balance"] == "1,400 points"
    assert account["held"] == "Including 1,000 points held for what you've picked"
    assert account["outlook"] == "600 points to go until “Free coffee”."
    assert account["progress"] == 0.4
    assert account["rewards"][0]["note"] == "600 points to go"
    page = http.get(f"/card/{token}").text
    assert '<p class="held">Including 1,000 points held' in page


def test_what_can_t_be_had_is_said_in_the_guest_s_language(
    malva: Running, http: httpx2.Client
) -> None:
    _, token = collector(malva, points=40, language="sr")
    refused = pick(http, token, 1)
    assert refused.status_code == 409
    assert refused.json() == {"said": "Trenutno nemaš dovoljno za to."}
    assert pick(http, token, 999).json() == {"said": "To trenutno nije moguće uzeti."}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[]",
        b"{}",
        b'{"rewards": []}',
        b'{"rewards": ["1"]}',
        b'{"rewards": [true]}',
        b'{"rewards": [1.5]}',
        b'{"rewards": [-1]}',
        b'{"rewards": [99999999999999999999]}',
        b'{"rewards": ' + b"[" * 9000,
        b'{"rewards": "' + b"x" * 70_000 + b'"}',
    ],
)
def test_what_is_no_pick_is_refused(malva: Running, http: httpx2.Client, sent: bytes) -> None:
    _, token = new_guest(malva)
    headers = {"Content-Type": "application/json"}
    answer = http.post(f"/card/{token}/redemptions", content=sent, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
@pytest.mark.parametrize(
    "path", ["code", "redemptions", "redemptions/x/code", "redemptions/x/cancel"]
)
def test_another_site_s_page_does_nothing_here(
    malva: Running, http: httpx2.Client, headers: dict[str, str], path: str
) -> None:
    _, token = new_guest(malva)
    answer = http.post(f"/card/{token}/{path}", json={"rewards": [1]}, headers=headers)
    assert answer.status_code == 403


def test_another_guest_s_pick_is_nothing_to_this_one(malva: Running, http: httpx2.Client) -> None:
    _, anas = collector(malva)
    _, milas = collector(malva)
    shown = pick(http, anas, 1).json()
    for what in ("code", "cancel"):
        assert http.post(f"/card/{milas}/redemptions/{shown['id']}/{what}").status_code == 404
        assert http.post(f"/card/forged/redemptions/{shown['id']}/{what}").status_code == 404
    assert pick(http, "forged", 1).status_code == 404
    assert next(states(http, milas))["accounts"][0]["picked"] == []


def test_a_reward_s_picture_is_where_the_card_says(malva: Running, http: httpx2.Client) -> None:
    _, token = new_guest(malva)

    def hang_up(tx) -> None:
        picture = photos.keep(tx, photos.Photo("image/png", b"\x89PNG"), malva.clock())
        reward = {"programme_id": 1, "names": {"en": "Poster"}, "cost": 9, "picture_id": picture}
        tx.execute(sa.insert(rewards).values(reward))

    malva.database.write_now(hang_up)
    offered = next(states(http, token))["accounts"][0]["rewards"]
    pictures = {reward["name"]: reward["picture"] for reward in offered}
    assert pictures["Free coffee"] == ""
    assert http.get(pictures["Poster"]).content == b"\x89PNG"


def test_points_that_expire_soon_are_told_of(malva: Running, http: httpx2.Client) -> None:
    guest, token = collector(malva, points=120)

    def expire(tx) -> None:
        soon = malva.clock() + timedelta(days=5)
        lot = {"guest_id": guest, "programme_id": 1, "left_points": 120, "expires_at": soon}
        tx.execute(sa.insert(lots).values(lot))

    malva.database.write_now(expire)
    expiring = next(states(http, token))["accounts"][0]["expiring"]
    assert expiring.startswith("120 points can be used until ")


# -- what was --------------------------------------------------------------------------------------


def moved(malva: Running, guest: int, times: int) -> None:
    """So many movements of 1, 2, 3 … points."""

    def move(tx) -> None:
        for n in range(1, times + 1):
            ledger.add_entry(
                tx,
                guest_id=guest,
                programme_id=1,
                cafe_id=1,
                kind="opening",
                reference=f"test:{n}",
                points=n,
                because=[{"rule": "opening"}],
                now=malva.clock(),
            )

    malva.database.write_now(move)


def test_earlier_movements_are_there_a_page_at_a_time(malva: Running, http: httpx2.Client) -> None:
    guest, token = new_guest(malva)
    moved(malva, guest, 40)
    page = next(states(http, token))["accounts"][0]
    seen = page["entries"]
    while page["older"]:
        asked = {"programme": 1, "before": page["entries"][-1]["id"]}
        page = http.get(f"/card/{token}/entries", params=asked).json()
        seen += page["entries"]
    points = [f"+{n} point{'s' if n > 1 else ''}" for n in range(40, 0, -1)]
    assert [entry["points"] for entry in seen] == points
    assert {entry["why"] for entry in seen} == {"Earlier balance"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("", 400),
        ("programme=1", 400),
        ("programme=1&before=x", 400),
        ("programme=1&before=-1", 400),
        ("programme=1&before=99999999999999999999", 400),
        ("programme=77&before=5", 404),
    ],
)
def test_what_is_no_place_in_the_history_is_refused(
    malva: Running, http: httpx2.Client, asked: str, status: int
) -> None:
    _, token = new_guest(malva)
    assert http.get(f"/card/{token}/entries?{asked}").status_code == status
    assert http.get("/card/forged/entries?programme=1&before=5").status_code == 404


def test_what_the_guest_was_told_can_be_read_again(
    malva: Running, http: httpx2.Client, till: Till
) -> None:
    guest, token = new_guest(malva, language="sr")
    chat = {"channel": "webchat", "address": f"chat of {guest}", "guest_id": guest}
    malva.database.write_now(
        lambda tx: tx.execute(sa.insert(contacts).values(**chat, created_at=malva.clock()))
    )
    assert next(states(http, token))["notices"] == []
    visit = till.identify(code=http.post(f"/card/{token}/code").json()["code"])["visit"]
    till.order(f"order-{visit}", "450.00", visit=visit)
    refunded = till.refund(f"order-{visit}", f"refund-{visit}")
    assert refunded.status_code == 201
    (notice,) = next(states(http, token))["notices"]
    assert notice["what"] == "↩️ BIFE: -450 poena"
    assert notice["why"] == "Novac za porudžbinu je vraćen."
    assert notice["what"] in http.get(f"/card/{token}").text
