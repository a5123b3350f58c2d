"""From a strange tablet to somebody at work, by touch; and the next one's turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import OpenPage, shot
from tests.support.portal import PASSWORD, hire
from tests.support.running import Running, run

pytestmark = pytest.mark.browser


@pytest.fixture
def malva(sqlite_url: str) -> Iterator[Running]:
    with run(sqlite_url, cafes=("bife", "zrno")) as running:
        hire(running, "olga", "owner")
        hire(running, "cica", "cashier", "bife")
        for slug, name in (("bife", "Bar"), ("bife", "Terrace"), ("zrno", "Counter")):
            running.add_till(slug, name)
        yield running


@pytest.mark.parametrize(
    ("width", "language", "scheme", "script"),
    [(390, "sr", "light", True), (1440, "ru", "dark", True), (390, "en", "light", False)],
)
def test_a_tablet_becomes_a_till_and_staff_come_and_go(
    malva: Running, pages: OpenPage, width: int, language: str, scheme: str, script: bool
) -> None:
    page = pages(width, locale=language, color_scheme=scheme, java_script_enabled=script)
    picture = f"till {language}"
    page.goto(f"{malva.url}/till")
    prove(page, "olga", f"{picture} make this a till")
    page.get_by_text("Terrace").click()
    page.locator("[name=name]").fill("Tablet")
    shot(page, f"{picture} which till")
    page.locator("main .button").click()
    expect(page.locator(".note.good")).to_be_visible()
    page.locator("main a.button").click()
    prove(page, "cica", f"{picture} first time")
    for field in ("pin", "again"):
        page.locator(f"[name={field}]").fill("4071")
    page.locator("main .button").click()
    expect(page.locator(".me")).to_have_text("Cica")
    page.locator("header .button").click()
    page.get_by_text("Cica", exact=True).click()
    if script:
        expect(page.locator("[name=pin]")).to_be_focused()
    expect(page.locator("[name=login]")).to_be_hidden()
    shot(page, f"{picture} whose turn")
    page.locator("[name=pin]").fill("4071")
    page.keyboard.press("Enter")
    expect(page.locator(".me")).to_have_text("Cica")


def prove(page: Page, login: str, picture: str) -> None:
    shot(page, picture)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("[name=login]").fill(login)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main .button").first.click()
