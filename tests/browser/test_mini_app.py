"""The card as a Telegram Mini App, in a browser that does what Telegram's does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.around import plugins
from tests.end_to_end.guests import regulars, settle
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support.browser import OpenPage, shot
from tests.support.running import SECRET_KEY, Running, run

pytestmark = pytest.mark.browser

NATIVE = "window.TelegramWebviewProxy = { postEvent: (type) => telegramHears(type) };"
"""What Telegram's apps put into a page; https://core.telegram.org/api/web-events"""


@pytest.fixture(scope="module")
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def ana(telegram: TelegramSimulator) -> Guest:
    return regulars(telegram, 1)[0]


@pytest.fixture(scope="module")
def malva(
    telegram: TelegramSimulator, ana: Guest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('mini')}/malva.db"
    with run(url, plugins(telegram), cafes=()) as malva:
        settle(malva.database, SECRET_KEY, [ana])
        yield malva


def address(malva: Running, data: str) -> str:
    """As the menu button opens it: what Telegram tells stands behind the #, and reaches no log."""
    return f"{malva.url}/card#tgWebAppData={quote(data, safe='')}&tgWebAppVersion=8.0"


def shows_a_card(page) -> None:
    expect(page.locator(".digits[data-code]")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Guest 0")


def test_it_goes_on_to_the_guest_s_own_card(malva, ana, pages: OpenPage) -> None:
    page = pages(390)
    told: list[str] = []
    page.expose_function("telegramHears", lambda what: told.append(what))
    page.add_init_script(NATIVE)
    page.goto(address(malva, ana.web_app_data()))
    shows_a_card(page)
    assert told == ["web_app_ready", "web_app_expand"]
    assert "tgWebAppData" not in page.url
    page.reload()
    shows_a_card(page)


def test_in_telegram_s_web_client_it_stands_in_a_frame(malva, ana, pages: OpenPage) -> None:
    page = pages(1440, permissions=["local-network-access"])
    frame = f'<iframe src="{address(malva, ana.web_app_data())}" width=400 height=800></iframe>'
    listen = "<script>told = []; onmessage = (event) => told.push(event.data)</script>"
    html = {"content_type": "text/html", "body": listen + frame}
    page.route("https://web.telegram.org/**", lambda route: route.fulfill(**html))
    page.goto("https://web.telegram.org/a/")
    shows_a_card(page.frame_locator("iframe"))
    assert "web_app_expand" in page.evaluate("told.join()")


def test_what_is_too_old_says_what_to_do(malva, ana, pages: OpenPage) -> None:
    for width, language in ((390, "en"), (390, "ru"), (1440, "sr")):
        page = pages(width, locale=language)
        page.goto(address(malva, ana.web_app_data(int(time.time()) - 4000)))
        expect(page.locator(".said")).to_be_visible()
        expect(page.locator(".outside")).to_be_hidden()
        shot(page, f"mini app too old {language}")


def test_without_a_connection_it_can_be_tried_again(malva, ana, pages: OpenPage) -> None:
    page: Page = pages(390)
    page.route("**/card", lambda r: r.abort() if r.request.method == "POST" else r.fallback())
    page.goto(address(malva, ana.web_app_data()))
    expect(page.locator(".again")).to_be_visible()
    page.unroute("**/card")
    page.locator(".again").click()
    shows_a_card(page)


def test_outside_telegram_it_says_where_the_card_is(malva, pages: OpenPage) -> None:
    page = pages(390, color_scheme="dark")
    page.goto(f"{malva.url}/card")
    expect(page.get_by_role("link", name="How to get a card")).to_be_visible()
    expect(page.locator(".waiting")).to_be_hidden()
    shot(page, "mini app outside")
