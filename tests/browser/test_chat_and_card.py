"""The chat and the live card in a browser: what is lost comes back, what is old is not shown."""

from __future__ import annotations

import re
import socket
from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from core.domain.codes import STEP_SECONDS
from core.services import ledger
from core.storage import tables
from tests.end_to_end.around import Till, plugins
from tests.support.browser import OpenPage, shot
from tests.support.running import Running, run

pytestmark = pytest.mark.browser


@pytest.fixture
def malva(sqlite_url: str):
    with run(sqlite_url, plugins()) as running:
        yield running


def join(page: Page, malva: Running, name: str = "Ana") -> None:
    page.goto(f"{malva.url}/chat?cafe=bife")
    page.get_by_role("button", name="English", exact=True).click()
    page.get_by_role("textbox").fill(name)
    page.get_by_role("textbox").press("Enter")
    page.get_by_role("button", name="Skip").last.click()
    expect(page.locator(".message.card .picture")).to_be_visible()


def live_card(page: Page) -> str:
    """The address of the live card, as the chat gives it."""
    return page.locator('a[href^="/card/"]').first.get_attribute("href")


def begin_a_step(malva: Running) -> None:
    """So that what is shown next stays for half a minute."""
    into = malva.clock().timestamp() % STEP_SECONDS
    malva.clock.move(timedelta(seconds=STEP_SECONDS - into))


def look_away(page: Page, hidden: bool) -> None:
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


# -- the chat --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_a_guest_joins_and_the_menu_stays_at_hand(
    malva: Running, pages: OpenPage, width: int, scheme: str
) -> None:
    page = pages(width, color_scheme=scheme, reduced_motion="reduce")
    join(page, malva)
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".menu").get_by_role("button")).to_have_count(5)
    page.locator(".menu").get_by_role("button", name="Points").click()
    expect(page.locator(".message").last).to_contain_text("Balance: 0 points")
    expect(page.locator(".message.mine").last).to_contain_text("Points")
    shot(page, f"chat {scheme}")


def test_markup_in_a_guest_s_words_is_text(malva: Running, pages: OpenPage) -> None:
    page = pages(390)
    join(page, malva, "<img src=x onerror=alert(1)>")
    expect(page.locator(".mine", has_text="<img src=x")).to_be_visible()
    page.goto(malva.url + live_card(page))
    expect(page.locator("h1")).to_have_text("<img src=x onerror=alert(1)>")


def test_a_conversation_is_there_again_after_a_reload(malva: Running, pages: OpenPage) -> None:
    page = pages(390)
    join(page, malva)
    expect(page.locator(".message")).to_have_count(8)
    page.reload()
    expect(page.locator(".message")).to_have_count(8)
    page.wait_for_timeout(500)  # the cafe's link is not followed a second time
    expect(page.locator(".message")).to_have_count(8)
    assert page.locator(".message.mine .text").all_inner_texts() == ["English", "Ana", "Skip"]


def test_a_lost_connection_is_told_and_made_good(sqlite_url: str, pages: OpenPage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    page = pages(390)
    with run(sqlite_url, plugins(), port=port) as malva:
        join(page, malva)
    expect(page.locator(".offline")).to_be_visible()
    page.get_by_role("textbox").fill("menu")
    page.get_by_role("textbox").press("Enter")
    expect(page.get_by_text("Not sent.")).to_be_visible()
    shot(page, "chat offline")
    with run(sqlite_url, plugins(), port=port, cafes=()):
        expect(page.locator(".offline")).to_be_hidden(timeout=15_000)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".message").last).to_contain_text("How can I help?")
        assert page.locator(".mine", has_text="menu").count() == 1


def test_only_the_newest_card_shows_a_code(malva: Running, pages: OpenPage) -> None:
    page = pages(390)
    join(page, malva)
    page.get_by_role("button", name="No", exact=True).click()
    page.locator(".menu").get_by_role("button", name="My card").click()
    expect(page.locator(".message.past")).to_have_count(1)
    expect(page.locator(".message.card .picture")).to_have_count(1)


# -- the live card ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1440, "light")])
def test_the_card_follows_what_happens_at_the_till(
    malva: Running, pages: OpenPage, width: int, scheme: str
) -> None:
    page = pages(width, color_scheme=scheme, reduced_motion="reduce")
    join(page, malva)
    begin_a_step(malva)
    page.goto(malva.url + live_card(page))
    first = page.locator(".digits[data-code]").inner_text()
    with Till(malva.url, malva.add_till()) as till:
        visit = till.identify(code=first)["visit"]
        expect(page.locator(".notice")).to_have_text("Your card was read")
        expect(page.locator(".digits")).not_to_have_text(first)
        till.order("1", "450.00", visit=visit)
        expect(page.locator(".balance")).to_have_text("450 points")
        expect(page.locator(".outlook")).to_contain_text("550 points to go")
        expect(page.locator(".entries li")).to_have_count(1)
    shot(page, f"card {scheme}")


def test_a_card_that_nobody_looks_at_asks_for_nothing(malva: Running, pages: OpenPage) -> None:
    page = pages(390)
    join(page, malva)
    begin_a_step(malva)
    asked = []
    page.on("request", lambda request: request.method == "POST" and asked.append(request.url))
    page.goto(malva.url + live_card(page))
    expect(page.locator(".digits[data-code]")).to_be_visible()
    look_away(page, hidden=True)
    before = len(asked)
    page.wait_for_timeout(600)
    assert len(asked) == before
    look_away(page, hidden=False)
    page.wait_for_timeout(600)
    assert len(asked) == before + 1


def test_a_card_without_a_connection_says_so_and_comes_back(
    malva: Running, pages: OpenPage
) -> None:
    page = pages(390)
    join(page, malva)
    page.goto(malva.url + live_card(page))
    expect(page.locator(".digits[data-code]")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator(".notice")).to_contain_text("No connection")
    shot(page, "card offline")
    page.context.set_offline(False)
    expect(page.locator(".notice")).to_be_empty()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("language", ["en", "sr", "ru"])
def test_no_page_is_wider_than_its_screen(
    malva: Running, pages: OpenPage, width: int, language: str
) -> None:
    page = pages(width, locale=language)
    for path in ("/", "/privacy", "/card/forged", "/chat"):
        page.goto(malva.url + path)
        shot(page, f"{path.replace('/', ' ').strip() or 'join'} {language}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


# -- rewards on the live card ----------------------------------------------------------------------


def enrich(malva: Running) -> None:
    """The only guest gets points, and the cafe a few more rewards."""

    def work(tx) -> None:
        guest = tx.scalar(sa.select(tables.guests.c.id))
        entry = {"programme_id": 1, "cafe_id": 1, "kind": "opening", "reference": "opening:0"}
        ledger.add_entry(
            tx,
            guest_id=guest,
            points=3600,
            because=[{"rule": "opening"}],
            now=malva.clock(),
            **entry,
        )
        for names, cost, more in REWARDS:
            values = {"programme_id": 1, "names": names, "cost": cost, **more}
            tx.execute(sa.insert(tables.rewards).values(**values))

    malva.database.write_now(work)


REWARDS = (
    (
        {"en": "Any cake", "sr": "Kolač po izboru", "ru": "Любой десерт"},
        2500,
        {"texts": {"en": "From the counter", "sr": "Iz vitrine", "ru": "С витрины"}},
    ),
    ({"en": "Breakfast for two", "sr": "Doručak za dvoje", "ru": "Завтрак на двоих"}, 6000, {}),
    ({"en": "A mug", "sr": "Šolja", "ru": "Кружка"}, 3000, {"stock": 0}),
)


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [(390, "light", "en"), (390, "dark", "ru"), (1440, "light", "sr")],
)
def test_rewards_are_picked_on_the_card_and_confirmed_at_the_till(
    malva: Running, pages: OpenPage, width: int, scheme: str, language: str
) -> None:
    page = pages(width, color_scheme=scheme, reduced_motion="reduce")
    join(page, malva)
    enrich(malva)
    malva.database.write_now(
        lambda tx: tx.execute(sa.update(tables.guests).values(language=language))
    )
    page.goto(malva.url + live_card(page))
    expect(page.locator(".reward")).to_have_count(4)
    page.locator(".reward button").nth(0).click()
    page.locator(".reward button").nth(1).click()
    expect(page.locator(".reward button").nth(2)).to_be_disabled()
    expect(page.locator(".basket .sum")).to_contain_text("/")
    shot(page, f"card rewards {language} {scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".basket button").click()
    expect(page.locator(".typed")).to_have_text(re.compile(r"^[A-Z2-9]{4}-[A-Z2-9]{4}$"))
    expect(page.locator(".picked time")).to_have_text(re.compile(r"^(10:00|9:5\d)$"))
    expect(page.locator(".code")).to_be_hidden()
    shot(page, f"card code {language} {scheme}")
    with Till(malva.url, malva.add_till()) as till:
        text = page.locator(".code-picture").get_attribute("data-text")
        held = till.post("redemptions", {"qr": text}).json()
        assert till.post(f"redemptions/{held['id']}/confirm", {}, key="k").status_code == 200
    expect(page.locator(".news.good")).to_be_visible()
    expect(page.locator(".picked")).to_be_hidden()
    expect(page.locator(".balance")).to_contain_text("100")
    expect(page.locator(".digits[data-code]")).to_be_visible()
    shot(page, f"card redeemed {language} {scheme}")


def test_a_pick_is_cancelled_on_the_card(malva: Running, pages: OpenPage) -> None:
    page = pages(390)
    join(page, malva)
    enrich(malva)
    page.goto(malva.url + live_card(page))
    page.get_by_role("button", name="Free coffee").click()
    page.get_by_role("button", name="Get the code").click()
    expect(page.locator(".picked h2")).to_have_text("Free coffee")
    expect(page.locator(".account .held")).to_contain_text("1,000 points held")
    expect(page.get_by_role("button", name="Any cake")).to_be_enabled()
    page.reload()
    expect(page.locator(".typed")).to_have_text(re.compile(r"^[A-Z2-9]{4}-[A-Z2-9]{4}$"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".news")).to_have_text("Cancelled: your points are free again.")
    expect(page.locator(".picked")).to_be_hidden()
    expect(page.locator(".account .held")).to_be_hidden()
    expect(page.locator(".digits[data-code]")).to_be_visible()


def test_a_reward_is_picked_in_the_chat(malva: Running, pages: OpenPage) -> None:
    page = pages(390)
    join(page, malva)
    enrich(malva)
    page.get_by_role("button", name="No", exact=True).click()
    page.locator(".menu").get_by_role("button", name="Rewards").click()
    page.get_by_role("button", name="Free coffee", exact=True).click()
    expect(page.locator(".message[data-kind=redemption] .picture")).to_be_visible()
    shot(page, "chat reward")
    page.locator(".message[data-kind=redemption]").get_by_role("button", name="Cancel").click()
    expect(page.locator(".message").last).to_contain_text("Cancelled: 1,000 points are free again.")


# -- what was --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_the_history_goes_back_to_its_beginning_and_stays_open(
    malva: Running, pages: OpenPage, width: int, scheme: str
) -> None:
    page = pages(width, color_scheme=scheme, reduced_motion="reduce")
    join(page, malva)
    page.goto(malva.url + live_card(page))
    with Till(malva.url, malva.add_till()) as till:
        visit = till.identify(code=page.locator(".digits[data-code]").inner_text())["visit"]
        for n in range(12):
            till.order(str(n), f"{100 + n}.00", visit=visit)
        entries = page.locator(".entries li")
        expect(entries).to_have_count(8)
        page.get_by_role("button", name="Earlier").click()
        expect(entries).to_have_count(12)
        expect(page.get_by_role("button", name="Earlier")).to_be_hidden()
        till.order("the last one", "450.00", visit=visit)
        expect(entries).to_have_count(13)
        expect(entries.first).to_contain_text("+450 points")
        till.refund("the last one")
        expect(entries).to_have_count(14)
    expect(page.locator(".told li")).to_have_count(1)
    expect(page.locator(".told .what")).to_have_text("↩️ BIFE: -450 points")
    shot(page, f"card history {scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
