"""The rewards room in a browser: made on a phone, with a picture, previewed while it is written."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.end_to_end.around import plugins
from tests.support.browser import OpenPage, shot
from tests.support.portal import PASSWORD, hire
from tests.support.running import Running, run

pytestmark = pytest.mark.browser


@pytest.fixture
def malva(sqlite_url: str):
    with run(sqlite_url, plugins()) as running:
        hire(running, "olga", "owner")
        yield running


def sign_in(page: Page, malva: Running) -> None:
    page.goto(f"{malva.url}/portal/sign-in")
    page.locator("[name=login]").fill("olga")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    expect(page.locator(".rooms")).to_be_visible()


def picture() -> bytes:
    out = BytesIO()
    Image.radial_gradient("L").resize((900, 600)).convert("RGB").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("language", ["en", "sr", "ru"])
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_a_reward_is_made_with_its_picture_and_previewed(
    malva: Running, pages: OpenPage, width: int, scheme: str, language: str
) -> None:
    page = pages(width, color_scheme=scheme, locale=language)
    sign_in(page, malva)
    page.locator('.rooms a[href="/portal/rewards"]').click()
    page.locator('a[href^="/portal/rewards/new"]').click()
    page.locator("[name=name_en]").fill("Slice of cake")
    page.locator("[name=name_sr]").fill("Parče torte")
    page.locator("[name=name_ru]").fill("Кусочек торта")
    expect(page.locator("[name=percent]")).to_be_hidden()
    page.locator("[name=kind]").select_option("percentage")
    expect(page.locator("[name=amount]")).to_be_hidden()
    page.locator("[name=percent]").fill("50")
    page.locator("[name=cost]").fill("600")
    expect(page.locator("#would")).to_contain_text("60")
    page.locator("[name=stock]").fill("40")
    page.locator("[name=last_day]").fill("2099-12-31")
    file = {"name": "cake.png", "mimeType": "image/png", "buffer": picture()}
    page.locator("[name=picture]").set_input_files([file])
    shot(page, f"portal-reward-{language}-{scheme}")
    fits(page)
    page.get_by_role("button").filter(has_text=re.compile("Save|Sačuvaj|Сохранить")).click()
    expect(page.locator(".note.good")).to_be_visible()
    thumb = page.locator(".thumb")
    expect(thumb).to_be_visible()
    thumb.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.thumb').naturalWidth > 0")
    shot(page, f"portal-rewards-{language}-{scheme}")
    fits(page)
    page.locator("li", has=thumb).get_by_role("link").click()
    expect(page.locator(".photo")).to_be_visible()
    page.wait_for_function("document.querySelector('.photo').naturalWidth > 0")
    shot(page, f"portal-reward-kept-{language}-{scheme}")


def fits(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


def test_without_script_the_preview_is_a_page_of_its_own(malva: Running, pages: OpenPage) -> None:
    page = pages(390, java_script_enabled=False)
    sign_in(page, malva)
    page.goto(f"{malva.url}/portal/rewards/new?programme=1")
    page.locator("[name=name_en]").fill("Cake")
    page.locator("[name=cost]").fill("600")
    page.locator("[name=preview]").click()
    expect(page.locator(".would b")).to_contain_text("could have it today")
    expect(page.locator("[name=name_en]")).to_have_value("Cake")
