"""The demo's front page in a real browser: the whole loop, on a phone and at a desk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.support.browser import OpenPage, shot

pytestmark = pytest.mark.browser

NAME = "Ana <b>Petrović</b>"


class Said(NamedTuple):
    language: str
    skip: str
    no: str
    rewards: str
    coffee: str
    points: str
    cost: str


SAID = {
    "en": Said("English", "Skip", "No", "⭐ Rewards", "Free coffee", "points", "1,000 points"),
    "sr": Said("Srpski", "Preskoči", "Ne", "⭐ Nagrade", "Besplatna kafa", "poena", "1.000 poena"),
    "ru": Said(
        "Русский",
        "Пропустить",
        "Нет",
        "⭐ Награды",
        "Бесплатный кофе",
        "баллов",
        "1\u00a0000 баллов",
    ),
}


def join(page: Page, language: str = "en") -> FrameLocator:
    """A guest comes and answers in the chat, until the card is on the screen."""
    said = SAID[language]
    chat = page.frame_locator("iframe[name=chat]")
    chat.get_by_role("button", name=said.language, exact=True).click()
    chat.get_by_role("textbox").fill(NAME)
    chat.get_by_role("textbox").press("Enter")
    chat.get_by_role("button", name=said.skip).last.click()
    expect(chat.locator(".message.card .picture")).to_be_visible()
    chat.get_by_role("button", name=said.no, exact=True).last.click()
    expect(chat.locator(".menu")).to_be_visible()
    return chat


def live_card(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[name=card]")


def open_part(page: Page, part: str) -> None:
    """On a phone the parts are tabs."""
    if page.locator(f"#tab-{part}").is_visible():
        page.locator(f"#tab-{part}").click()


def scan(page: Page) -> None:
    page.locator(".scan").click()
    expect(page.locator(".visitor .name")).to_have_text(NAME)


def type_code(page: Page, text: str) -> None:
    page.locator("#code").fill(text)
    page.locator("#code").press("Enter")


def ring_up(page: Page, *skus: str) -> None:
    for sku in skus:
        page.locator(f".products:not([hidden]) [data-sku={sku}] .product").click()


def pay(page: Page, *skus: str) -> None:
    ring_up(page, *skus)
    page.locator(".pay").click()
    expect(page.locator(".receipt")).to_be_visible()


def collect(page: Page) -> FrameLocator:
    """A guest with 1,160 points at the till, enough for the first reward: with 200 to welcome them.
    The frame of their chat."""
    chat = join(page)
    scan(page)
    pay(page, "cappuccino", "cappuccino", "espresso", "cappuccino")
    expect(page.locator(".visitor .has")).to_have_text("1,160 points")
    return chat


def pick(page: Page, chat: FrameLocator, language: str = "en") -> None:
    """A free coffee, in the chat; the live card shows its code, too."""
    open_part(page, "guest")
    chat.get_by_role("button", name=SAID[language].rewards).click()
    chat.get_by_role("button", name=re.compile(SAID[language].coffee)).last.click()
    expect(chat.locator(".message[data-kind=redemption] .picture")).to_be_visible()
    expect(live_card(page).locator(".code-picture")).to_have_attribute(
        "data-text", re.compile(r"^MALVAR1\.")
    )


# -- the whole loop --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "language", "scheme"),
    [(1440, "en", "light"), (390, "sr", "light"), (390, "ru", "dark"), (1440, "ru", "dark")],
)
def test_the_whole_loop(demo: str, pages: OpenPage, width: int, language: str, scheme: str) -> None:
    page = pages(width, locale=language, color_scheme=scheme, reduced_motion="reduce")
    page.goto(demo)
    said = SAID[language]

    def look(name: str) -> None:
        shot(page, f"demo {language} {scheme} {name}")
        inside = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert inside, f"{name} is wider than the screen"

    chat = join(page, language)
    expect(page.locator("[data-step=scan]")).to_have_attribute("aria-current", "step")
    look("1 joined")

    open_part(page, "till")
    scan(page)
    ring_up(page, "cappuccino", "cappuccino", "espresso")
    expect(page.locator(".total b")).to_have_text("700\u00a0RSD")
    look("2 till")
    page.locator(".pay").click()  # the first order is welcomed with 200
    expect(page.locator(".receipt .points")).to_have_text(f"+900 {said.points}")
    expect(page.locator("[data-step=redeem]")).to_have_attribute("aria-current", "step")
    expect(page.locator(".offers button").first).to_be_disabled()
    pay(page, "cappuccino")
    expect(page.locator(".offers button").first).to_be_enabled()
    look("3 paid")

    pick(page, chat, language)
    look("4 picked")
    open_part(page, "till")
    page.locator(".scan").click()
    expect(page.locator(".picking b")).to_have_text(said.coffee)
    look("5 to confirm")
    page.locator(".picking .confirm").click()
    expect(page.locator(".receipt .points")).to_have_text(re.compile(f"^[-−]{said.cost}$"))
    expect(page.locator(".steps .done")).to_have_count(4)
    expect(page.locator(".activity li")).to_have_count(8)
    look("6 redeemed")

    open_part(page, "guest")
    expect(chat.locator(".message").last).to_contain_text(said.coffee)
    open_part(page, "result")
    expect(live_card(page).locator(".balance")).to_have_text(f"160 {said.points}")
    look("7 card")


def test_a_refund_takes_the_points_back(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    join(page)
    scan(page)
    pay(page, "espresso")
    page.locator(".refund").click()
    expect(page.locator(".receipt .points")).to_have_text(re.compile("^[-−]380 points$"))
    expect(live_card(page).locator(".balance")).to_have_text("0 points")


# -- rewards at the till ---------------------------------------------------------------------------


def test_a_picked_reward_s_code_is_typed_and_let_go(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    pick(page, collect(page))
    code = live_card(page).locator(".picked .typed").inner_text()
    type_code(page, code.lower().replace("-", " "))
    expect(page.locator(".picking b")).to_have_text("Free coffee")
    page.locator(".picking .cancel").click()
    expect(page.locator(".picking")).to_be_hidden()
    expect(live_card(page).locator(".news")).to_contain_text("Cancelled")
    type_code(page, code)
    expect(page.locator(".answer")).to_contain_text("This was cancelled")


def test_after_a_scan_the_till_gives_a_reward_at_once(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    chat = collect(page)
    page.locator(".offers button").first.click()
    page.locator(".picking .confirm").click()
    expect(page.locator(".visitor .has")).to_have_text("160 points")
    expect(chat.locator(".message").last).to_contain_text("Enjoy it: Free coffee")


@pytest.mark.parametrize(
    ("says", "has", "told"),
    [("Yes", "160 points", ""), ("No", "1,160 points", "This was cancelled")],
)
def test_after_typed_digits_the_guest_is_asked_first(
    demo: str, pages: OpenPage, says: str, has: str, told: str
) -> None:
    page = pages(1440)
    page.goto(demo)
    chat = collect(page)
    digits = live_card(page).locator(".digits[data-code]").inner_text()
    type_code(page, digits)
    expect(page.locator(".activity li").first).to_contain_text("is at the till, with 1,160")
    page.locator(".offers button").first.click()
    expect(page.locator(".picking .asked")).to_contain_text("Waiting for the guest's yes")
    expect(page.locator(".picking .confirm")).to_be_hidden()
    question = chat.locator(".message[data-kind=redemption_question]").last
    question.get_by_role("button", name=says, exact=True).click()
    expect(page.locator(".picking")).to_be_hidden()
    expect(page.locator(".visitor .has")).to_have_text(has)
    expect(page.locator(".answer")).to_contain_text(told)


# -- what may go wrong -----------------------------------------------------------------------------


def test_the_digits_can_be_typed_and_a_wrong_code_is_told(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    page.locator(".scan").click()
    expect(page.locator(".answer")).to_contain_text("no card on the guest's screen")
    type_code(page, "12 34")
    expect(page.locator(".answer")).to_contain_text("Type the card's six digits")
    join(page)
    digits = live_card(page).locator(".digits[data-code]")
    shown = digits.inner_text()
    type_code(page, str((int(shown.replace(" ", "")) + 1) % 10**6).zfill(6))
    expect(page.locator(".answer")).to_contain_text("Nobody shows this code now")
    type_code(page, digits.inner_text())
    expect(page.locator(".visitor .name")).to_have_text(NAME)
    expect(page.locator(".answer")).to_be_empty()


def test_an_order_without_a_guest_waits_unclaimed(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    page.locator(".choice label").last.click()
    pay(page, "sandwich")
    expect(page.locator(".receipt .said")).to_contain_text("waits unclaimed")
    expect(page.locator(".refund")).to_be_hidden()


def test_whoever_comes_back_finds_their_card_again(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    join(page)
    page.reload()
    expect(live_card(page).locator(".digits[data-code]")).to_be_visible()
    expect(page.locator("[data-step=scan]")).to_have_attribute("aria-current", "step")


def test_the_till_s_token_never_reaches_the_browser(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(demo)
    join(page)
    scan(page)
    texts = [
        a.text() for a in answers if "events" not in a.url and a.request.resource_type != "image"
    ]
    assert any("/demo/till/" in answer.url for answer in answers)
    assert [text for text in texts if "mt_" in text or "Bearer" in text] == []


def test_the_tabs_are_reached_by_keyboard(demo: str, pages: OpenPage) -> None:
    page = pages(390)
    page.goto(demo)
    page.locator("#tab-guest").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-till")).to_be_focused()
    expect(page.locator("#till")).to_be_visible()
    expect(page.locator("#guest")).to_be_hidden()


# -- from here on ----------------------------------------------------------------------------------


def test_the_printed_logins_open_the_cashier_s_page(
    demo: str, demo_folder: Path, pages: OpenPage
) -> None:
    printed = (demo_folder / "log").read_text()
    owner = re.search(r"owner +(\w+) / (\S+)", printed)
    mila = re.search(r"cashier of BIFE +(\w+) / \S+, PIN (\d+)", printed)
    assert owner, printed
    assert mila, printed
    page = pages(390)
    page.goto(demo)
    page.get_by_role("link", name="The cashier's page").click()
    page.get_by_label("Login").fill(owner[1])
    page.get_by_label("Password").fill(owner[2])
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("group", name="BIFE").get_by_text("Bar").click()
    page.get_by_label("What you call this phone or tablet").fill("My phone")
    page.get_by_role("button", name="Make this the till").click()
    page.get_by_label("Login").fill(mila[1])
    page.get_by_label("PIN").fill(mila[2])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{demo}/till")
    expect(page.get_by_text("Mila")).to_be_visible()


@pytest.mark.parametrize("name", ["The owner's portal", "How guests join"])
def test_the_page_leads_on(demo: str, pages: OpenPage, name: str) -> None:
    page = pages(1440)
    page.goto(demo)
    with page.expect_navigation() as gone:
        page.get_by_role("link", name=name).click()
    assert gone.value.ok
