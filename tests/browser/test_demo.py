"""The demo's front page in a real browser: the whole loop, on a phone and at a desk."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.support.browser import OpenPage, shot

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]

NAME = "Ana <b>Petrović</b>"
SAID = {
    "en": ("English", "Skip", "points"),
    "sr": ("Srpski", "Preskoči", "poena"),
    "ru": ("Русский", "Пропустить", "баллов"),
}


def join(page: Page, language: str) -> FrameLocator:
    """A guest comes and answers in the chat, until the card is on the screen."""
    own_name, skip, _ = SAID[language]
    chat = page.frame_locator("iframe[name=chat]")
    chat.get_by_role("button", name=own_name, exact=True).click()
    chat.get_by_role("textbox").fill(NAME)
    chat.get_by_role("textbox").press("Enter")
    chat.get_by_role("button", name=skip).last.click()
    expect(chat.locator(".message.card .picture")).to_be_visible()
    return chat


def open_part(page: Page, part: str) -> None:
    """On a phone the parts are tabs."""
    if page.locator(f"#tab-{part}").is_visible():
        page.locator(f"#tab-{part}").click()


def ring_up(page: Page, *skus: str) -> None:
    for sku in skus:
        page.locator(f".products:not([hidden]) [data-sku={sku}] .product").click()


@pytest.mark.parametrize(
    ("width", "language", "scheme"),
    [(1440, "en", "light"), (390, "sr", "light"), (390, "ru", "dark"), (1440, "ru", "dark")],
)
def test_the_whole_loop(demo: str, pages: OpenPage, width: int, language: str, scheme: str) -> None:
    page = pages(width, locale=language, color_scheme=scheme, reduced_motion="reduce")
    page.goto(demo)
    unit = SAID[language][2]
    chat = join(page, language)
    expect(page.locator("[data-step=scan]")).to_have_attribute("aria-current", "step")
    name = f"demo {language} {scheme}"
    shot(page, f"{name} 1 joined")

    open_part(page, "till")
    page.locator(".scan").click()
    expect(page.locator(".visitor .name")).to_have_text(NAME)
    ring_up(page, "cappuccino", "cappuccino", "espresso")
    expect(page.locator(".total b")).to_have_text("700\u00a0RSD")
    shot(page, f"{name} 2 till")
    page.locator(".pay").click()  # the first order is welcomed with 200
    expect(page.locator(".receipt .points")).to_have_text(f"+900 {unit}")
    expect(page.locator(".steps .done")).to_have_count(4)
    expect(page.locator(".activity li")).to_have_count(4)
    shot(page, f"{name} 3 paid")

    open_part(page, "guest")
    expect(chat.locator(".message").last).to_contain_text(f"+900 {unit}")
    shot(page, f"{name} 4 guest")
    open_part(page, "result")
    card = page.frame_locator("iframe[name=card]")
    expect(card.locator(".balance")).to_have_text(f"900 {unit}")
    shot(page, f"{name} 5 card")

    open_part(page, "till")
    page.locator(".refund").click()
    expect(page.locator(".receipt .points")).to_have_text(re.compile(f"^[-−]900 {unit}$"))
    open_part(page, "result")
    expect(card.locator(".balance")).to_have_text(f"0 {unit}")


def test_the_digits_can_be_typed_and_a_wrong_code_is_told(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    page.locator(".scan").click()
    expect(page.locator(".answer")).to_contain_text("no card on the guest's screen")
    page.locator("#code").fill("12 34")
    page.locator("#code").press("Enter")
    expect(page.locator(".answer")).to_have_text("Type all six digits.")
    join(page, "en")
    digits = page.frame_locator("iframe[name=card]").locator(".digits[data-code]")
    shown = digits.inner_text()
    wrong = str((int(shown.replace(" ", "")) + 1) % 10**6).zfill(6)
    page.locator("#code").fill(wrong)
    page.locator("#code").press("Enter")
    expect(page.locator(".answer")).to_contain_text("Nobody's open card shows that code")
    page.locator("#code").fill(digits.inner_text())
    page.locator("#code").press("Enter")
    expect(page.locator(".visitor .name")).to_have_text(NAME)


def test_an_order_without_a_guest_waits_unclaimed(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    page.locator(".choice label").last.click()
    ring_up(page, "sandwich")
    page.locator(".pay").click()
    expect(page.locator(".receipt .said")).to_contain_text("waits unclaimed")
    expect(page.locator(".refund")).to_be_hidden()


def test_whoever_comes_back_finds_their_card_again(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    join(page, "en")
    page.reload()
    expect(page.frame_locator("iframe[name=card]").locator(".digits[data-code]")).to_be_visible()
    expect(page.locator("[data-step=scan]")).to_have_attribute("aria-current", "step")


def test_the_till_s_token_never_reaches_the_browser(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(demo)
    join(page, "en")
    page.locator(".scan").click()
    expect(page.locator(".visitor")).to_be_visible()
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
