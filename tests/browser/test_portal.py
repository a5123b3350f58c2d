"""The portal in a real browser: on a phone and at a desk, in three languages, light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import OpenPage, shot

pytestmark = pytest.mark.browser

ROOMS = ("", "/programme", "/products", "/products/new?programme=1", "/employees",
         "/employees/new", "/tills", "/log", "/account", "/account/second-factor")  # fmt: skip


def sign_in(page: Page, demo: str, password: str) -> None:
    page.goto(f"{demo}/portal")
    page.locator("[name=login]").fill("owner")
    page.locator("[name=password]").fill(password)
    page.locator("main .button").click()
    expect(page.locator(".figures").first).to_be_visible()


@pytest.fixture(scope="session")
def password(demo_folder: Path) -> str:
    """The owner's, as the demo keeps it."""
    return (demo_folder / ".demo" / "owner-password").read_text().strip()


@pytest.mark.parametrize(
    ("width", "language", "scheme"),
    [(390, "sr", "light"), (1440, "en", "light"), (390, "ru", "dark"), (1440, "ru", "dark")],
)
def test_every_room_fits(
    demo: str, password: str, pages: OpenPage, width: int, language: str, scheme: str
) -> None:
    page = pages(width, locale=language, color_scheme=scheme, reduced_motion="reduce")
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(f"{demo}/portal/sign-in")
    shot(page, f"portal {language} {scheme} sign-in")
    sign_in(page, demo, password)
    for room in ROOMS:
        page.goto(f"{demo}/portal{room}")
        name = re.sub(r"\W+", " ", room).strip() or "overview"
        shot(page, f"portal {language} {scheme} {name}")
        inside = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert inside, f"{room} is wider than the screen"
    assert faults == [], "the policy refused something, or a file is missing"


def test_a_product_shows_what_it_would_give_while_it_is_typed(
    demo: str, password: str, pages: OpenPage
) -> None:
    page = pages(390)
    sign_in(page, demo, password)
    page.goto(f"{demo}/portal/products/new?programme=1")
    page.locator("[name=name_en]").fill("Tiramisu")
    page.locator("[name=points]").fill("70")
    expect(page.locator(".would")).to_contain_text("140 points")
    expect(page.locator("[data-without-script]")).to_be_hidden()
    shot(page, "portal product preview")
    page.locator(".buttons .button").first.click()
    expect(page.locator(".note.good")).to_be_visible()
    expect(page.get_by_text("Tiramisu").first).to_be_visible()
    shot(page, "portal products with one more")


def test_without_script_everything_works_too(demo: str, password: str, pages: OpenPage) -> None:
    page = pages(390, java_script_enabled=False)
    sign_in(page, demo, password)
    page.goto(f"{demo}/portal/programme")
    page.locator("[name=earn_points]").first.fill("3")
    page.locator("[data-without-script]").first.click()
    expect(page.locator("[name=earn_points]").first).to_have_value("3")
    expect(page.locator(".would").first).to_contain_text("points")


def test_a_till_is_added_and_its_token_shown_once(
    demo: str, password: str, pages: OpenPage
) -> None:
    page = pages(390)
    sign_in(page, demo, password)
    page.goto(f"{demo}/portal/tills")
    page.locator("form.fields [name=name]").fill("Terrace")
    page.locator("form.fields .button").click()
    expect(page.locator("code.secret")).to_contain_text("mt_")
    shot(page, "portal till token")
    page.locator("main .button").click()
    expect(page.get_by_text("Terrace").first).to_be_visible()


def test_the_demo_s_page_leads_here(demo: str, pages: OpenPage) -> None:
    page = pages(1440)
    page.goto(demo)
    page.locator("main a[href='/portal']").click()
    expect(page.locator("[name=login]")).to_be_visible()
