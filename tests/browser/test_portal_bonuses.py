"""The bonuses room in a browser: made on a phone and at a desk, previewed while it is written."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_portal_rewards import fits, sign_in
from tests.end_to_end.around import plugins
from tests.support.browser import OpenPage, shot
from tests.support.portal import hire
from tests.support.running import Running, run

pytestmark = pytest.mark.browser


@pytest.fixture
def malva(sqlite_url: str):
    with run(sqlite_url, plugins()) as running:
        hire(running, "olga", "owner")
        yield running


@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(390, "light", "sr"), (1440, "dark", "ru")]
)
def test_happy_hours_are_made_and_previewed(
    malva: Running, pages: OpenPage, width: int, scheme: str, language: str
) -> None:
    page = pages(width, color_scheme=scheme, locale=language)
    sign_in(page, malva)
    page.locator('.rooms a[href="/portal/bonuses"]').click()
    page.locator('a[href^="/portal/bonuses/new"]').click()
    page.wait_for_url("**/portal/bonuses/new*")
    fits(page)
    page.locator('a[href$="kind=happy_hours"]').click()
    for weekday in "56":
        page.locator(f"[name=weekday][value='{weekday}']").uncheck()
    page.locator("[name=factor]").fill("2")
    page.locator("[name=from]").fill("22:00")
    page.locator("[name=to]").fill("02:00")
    expect(page.locator("#would b")).to_contain_text("20")
    fits(page)
    shot(page, f"portal-bonus-{language}-{scheme}")
    page.get_by_role("button").filter(has_text=re.compile("Sačuvaj|Сохранить")).press("Enter")
    expect(page.locator(".note.good")).to_be_visible()
    line = page.locator(".list li")
    expect(line).to_contain_text("22:00–02:00")
    expect(line.locator(".worth")).to_have_text("×2")
    fits(page)
    shot(page, f"portal-bonuses-{language}-{scheme}")
