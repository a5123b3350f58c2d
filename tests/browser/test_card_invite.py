"""Inviting a friend from the live card, in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_chat_and_card import join, live_card
from tests.end_to_end.around import plugins
from tests.support.browser import OpenPage, shot
from tests.support.running import run

pytestmark = pytest.mark.browser


def test_what_stands_there_is_what_is_sent(sqlite_url: str, pages: OpenPage) -> None:
    with run(sqlite_url, plugins()) as malva:
        page = pages(390, permissions=["clipboard-read", "clipboard-write"])
        join(page, malva)
        page.goto(malva.url + live_card(page))
        page.get_by_text("Invite a friend").press("Enter")
        letter = page.locator(".invite .letter")
        expect(letter).to_contain_text(f"{malva.url}/chat?start=inv_")
        page.get_by_role("button", name="Copy").click()
        expect(page.locator(".invite .said")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == letter.inner_text()
        shot(page, "card invite")
        friend = pages(390)
        friend.goto(copied.split()[-1])
        welcome = friend.locator(".message").first
        expect(welcome).to_contain_text("with your first order you get 100 points")
