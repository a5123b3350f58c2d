"""The till's camera in a real Chromium, whose camera plays a film of guests' codes.

Linux has no native detector, so what reads here is the vendored one, as on an iPhone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from core.pictures import draw
from core.services import cards, guests
from portal.frame import policy
from tests.support.browser import OpenPage, another, shot
from tests.support.camera import film, frame
from tests.support.portal import hire
from tests.support.running import Running, run
from tests.support.till import TillBrowser

pytestmark = pytest.mark.browser

CARD = "MALVA1.KRSXG5CTMVRXEZLU.493021"
REDEMPTION = "MALVAR1.kQ7xZp2mLr4vTn8wSb1cYd6eGf9hJa3uWi5oXq0tRzE"
POSTER = "https://malva.example/join/bife"

HELD = {
    "straight": {},
    "tilted": {"tilt": 40},
    "tilted the other way": {"tilt": -25, "swing": 35},
    "upside down": {"turn": 180},
    "small": {"side": 90},
    "blurred": {"side": 200, "blur": 2},
    "in the sun": {"contrast": 0.25},
    "in a dark bar": {"contrast": 0.5, "noise": 25},
    "in a hurry": {"side": 160, "tilt": 20, "swing": 20, "turn": 130, "blur": 1, "noise": 10},
}

PLAIN_PAGE = """<!doctype html><video playsinline muted></video>
<script type="module" src="/static/plain.js"></script>"""
PLAIN_SCRIPT = """
import { scan } from "/static/scanner.js";
globalThis.seen = new Set();
globalThis.over = new AbortController();
globalThis.ended = scan(document.querySelector("video"), (text) => seen.add(text), over.signal);
"""


@pytest.fixture
def malva(sqlite_url: str) -> Iterator[Running]:
    with run(sqlite_url) as running:
        yield running


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """The film that the camera sees: to be made before the camera is opened."""
    return tmp_path / "seen.mjpeg"


@pytest.fixture
def browser(browser: Browser, seen: Path) -> Iterator[Browser]:
    """One with a camera. It knows Malva by a name too that is not this machine's own."""
    with another(
        browser,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={seen}",
        "--host-resolver-rules=MAP malva.test 127.0.0.1",
    ) as with_camera:
        yield with_camera


def serve(page: Page, path: str, body: str, kind: str) -> None:
    """A page of the test's own beside Malva's, under the same policy."""
    headers = {"Content-Type": kind, "Content-Security-Policy": policy("'none'")}

    def answer(route: Route) -> None:
        route.fulfill(body=body, headers=headers)

    page.route(f"**{path}", answer)


def watch(page: Page, malva: Running) -> None:
    """Opens a page that scans at once and keeps what it reads in `seen`."""
    serve(page, "/plain", PLAIN_PAGE, "text/html")
    serve(page, "/static/plain.js", PLAIN_SCRIPT, "text/javascript")
    page.goto(f"{malva.url}/plain")


def wait_until_seen(page: Page, texts: set[str]) -> None:
    page.wait_for_function("(texts) => texts.every((text) => seen.has(text))", arg=sorted(texts))


# -- reading ---------------------------------------------------------------------------------------


def test_a_card_is_read_however_it_is_held(malva: Running, pages: OpenPage, seen: Path) -> None:
    codes = {f"MALVA1.KRSXG5CTMVRXEZLU.00000{n}": held for n, held in enumerate(HELD.values())}
    film((shown for text, held in codes.items() for shown in [frame(draw(text), **held)] * 8), seen)
    page = pages(390, permissions=["camera"])
    watch(page, malva)
    wait_until_seen(page, set(codes))
    assert set(page.evaluate("[...seen]")) == set(codes)  # and nothing was read wrongly


def test_a_redemption_is_read_off_a_small_and_tilted_screen(
    malva: Running, pages: OpenPage, seen: Path
) -> None:
    film([frame(draw(REDEMPTION), side=120, tilt=30, turn=-20, blur=0.8)], seen)
    page = pages(390, permissions=["camera"])
    watch(page, malva)
    wait_until_seen(page, {REDEMPTION})


NATIVE = """globalThis.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return [{ rawValue: "MALVA1.NATIVE" }]; }
};"""
UNAVAILABLE = "BarcodeDetector.prototype.detect = async () => { throw new DOMException(); };"


@pytest.mark.parametrize(
    ("detector", "reads"),
    [(NATIVE, "MALVA1.NATIVE"), (NATIVE + UNAVAILABLE, CARD)],
    ids=["works", "in name only"],
)
def test_the_browser_s_own_detector_is_used_where_it_works(
    malva: Running, pages: OpenPage, seen: Path, detector: str, reads: str
) -> None:
    """Chromium on Linux has none: this one stands for Android's, whose services may be absent."""
    film([frame(draw(CARD))], seen)
    page = pages(390, permissions=["camera"])
    page.add_init_script(detector)
    watch(page, malva)
    wait_until_seen(page, {reads})
    assert page.evaluate("[...seen]") == [reads]


def test_the_camera_is_let_go_of(malva: Running, pages: OpenPage, seen: Path) -> None:
    film([frame(draw(CARD))], seen)
    page = pages(390, permissions=["camera"])
    watch(page, malva)
    wait_until_seen(page, {CARD})
    page.evaluate("globalThis.track = document.querySelector('video').srcObject.getTracks()[0]")
    page.evaluate("over.abort(); ended")
    assert page.evaluate("[track.readyState, document.querySelector('video').srcObject]") == [
        "ended",
        None,
    ]


# -- the button on the cashier's page --------------------------------------------------------------


@pytest.fixture
def counter(malva: Running) -> Iterator[TillBrowser]:
    """Somebody at work at a till, whose cookies a page may have."""
    hire(malva, "olga", "owner")
    hire(malva, "cica", "cashier", "bife")
    malva.add_till("bife", "Bar")
    with TillBrowser(malva.url) as tills:
        tills.seat(malva, "cica", 1)
        yield tills


def at_work(page: Page, counter: TillBrowser, url: str = "") -> None:
    """At the cashier's page, with what the camera says kept in `scanned`."""
    url = url or str(counter.http.base_url)
    host = url.split("//")[1].split(":")[0]
    page.context.add_cookies(
        [
            {"name": cookie.name, "value": cookie.value or "", "domain": host, "path": cookie.path}
            for cookie in counter.http.cookies.jar
        ]
    )
    page.goto(f"{url.rstrip('/')}/till")
    page.evaluate(
        """globalThis.scanned = [];
        document.addEventListener("scanned", ({ detail }) => scanned.push(detail));"""
    )


def card_of(malva: Running, name: str) -> str:
    """What a new guest's QR says now."""

    def show(tx: Any) -> str:
        facts = {"name": name, "language": "en", "cafe_id": 1}
        guest = guests.add(tx, keys=malva.keys, now=malva.clock(), **facts)
        return cards.lease_code(tx, guest, malva.keys, malva.clock()).qr

    return malva.database.write_now(show)


def notice(page: Page) -> Any:
    return page.locator("till-camera .notice")


def opener(page: Page) -> Any:
    return page.locator("till-camera .open")


def test_a_guest_s_code_is_told_once_and_the_camera_closes_and_there_is_the_guest(
    malva: Running, counter: TillBrowser, pages: OpenPage, seen: Path
) -> None:
    card = card_of(malva, "Ana Petrović")
    film([frame(draw(card), side=150, tilt=20, turn=15, blur=1)], seen)
    page = pages(390, permissions=["camera"])
    at_work(page, counter)
    opener(page).tap()
    expect(page.locator("till-camera .view")).to_be_hidden()
    expect(page.locator("#stage")).to_contain_text("Ana Petrović")
    assert page.evaluate("scanned") == [card]
    expect(notice(page)).to_be_empty()


def test_the_poster_beside_the_till_is_no_guest(
    counter: TillBrowser, pages: OpenPage, seen: Path
) -> None:
    film([frame(draw(POSTER))], seen)
    page = pages(390, permissions=["camera"])
    at_work(page, counter)
    opener(page).tap()
    expect(notice(page)).to_contain_text("not a guest's")
    shot(page, "till camera poster")
    assert page.evaluate("scanned") == []


@pytest.mark.parametrize(
    ("width", "language", "hint"),
    [
        (390, "sr", "Usmerite kameru"),
        (390, "ru", "Наведите камеру"),
        (1440, "en", "Point the camera"),
    ],
)
def test_it_speaks_the_cashier_s_language(
    counter: TillBrowser, pages: OpenPage, seen: Path, width: int, language: str, hint: str
) -> None:
    film([frame(draw(CARD), side=20)], seen)  # too far away to be read
    page = pages(width, permissions=["camera"])
    counter.send("/till/language", {"language": language})
    at_work(page, counter)
    opener(page).click()
    expect(notice(page)).to_contain_text(hint)
    shot(page, f"till camera {language}")


def test_it_opens_and_closes_by_keyboard(counter: TillBrowser, pages: OpenPage, seen: Path) -> None:
    film([frame(draw(POSTER), side=20)], seen)
    page = pages(1440, permissions=["camera"])
    at_work(page, counter)
    opener(page).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close the camera")).to_be_focused()
    expect(notice(page)).to_contain_text("Point the camera at")
    page.keyboard.press("Escape")
    expect(opener(page)).to_be_focused()
    expect(page.locator("till-camera .view")).to_be_hidden()
    assert page.evaluate("document.querySelector('video').srcObject") is None


def test_a_hidden_page_sees_nothing(counter: TillBrowser, pages: OpenPage, seen: Path) -> None:
    film([frame(draw(POSTER), side=20)], seen)
    page = pages(390, permissions=["camera"])
    at_work(page, counter)
    opener(page).tap()
    expect(notice(page)).to_contain_text("Point the camera at")
    page.evaluate(
        """Object.defineProperty(document, "hidden", { value: true, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));"""
    )
    expect(page.locator("till-camera .view")).to_be_hidden()
    assert page.evaluate("document.querySelector('video').srcObject") is None


# -- what is wrong ---------------------------------------------------------------------------------


def test_a_camera_that_is_not_allowed(counter: TillBrowser, pages: OpenPage, seen: Path) -> None:
    film([frame(draw(CARD))], seen)
    page = pages(390)
    at_work(page, counter)
    opener(page).tap()
    expect(notice(page)).to_contain_text("may not use the camera")
    expect(opener(page)).to_be_visible()
    shot(page, "till camera refused")


def test_a_page_without_https_has_no_camera(counter: TillBrowser, pages: OpenPage) -> None:
    page = pages(390)
    at_work(page, counter, f"{counter.http.base_url}".replace("127.0.0.1", "malva.test"))
    opener(page).tap()
    expect(notice(page)).to_contain_text("over https only")


@pytest.mark.parametrize(
    ("error", "says"),
    [("NotFoundError", "No camera was found"), ("NotReadableError", "in use by something else")],
)
def test_no_camera_and_one_that_another_app_holds(
    counter: TillBrowser, pages: OpenPage, error: str, says: str
) -> None:
    page = pages(390)
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = "
        f"() => Promise.reject(new DOMException('', '{error}'));"
    )
    at_work(page, counter)
    opener(page).tap()
    expect(notice(page)).to_contain_text(says)


@pytest.mark.parametrize("file", ["scanner-worker.js", "zxing_reader.wasm"])
def test_a_decoder_that_cannot_be_loaded(
    counter: TillBrowser, pages: OpenPage, seen: Path, file: str
) -> None:
    film([frame(draw(CARD))], seen)
    page = pages(390, permissions=["camera"])
    page.context.route(re.compile(file), lambda route: route.abort())
    at_work(page, counter)
    opener(page).tap()
    expect(notice(page)).to_contain_text("can't read QR codes")


def test_the_lamp_is_offered_where_the_camera_has_one(
    counter: TillBrowser, pages: OpenPage, seen: Path
) -> None:
    """A film has none: the track is told that it has, and what it is asked for is kept."""
    film([frame(draw(POSTER), side=20)], seen)
    page = pages(390, permissions=["camera"])
    page.add_init_script(
        """globalThis.asked = [];
        MediaStreamTrack.prototype.getCapabilities = () => ({ torch: true });
        MediaStreamTrack.prototype.applyConstraints = async (wish) => { asked.push(wish); };"""
    )
    at_work(page, counter)
    opener(page).tap()
    lamp = page.get_by_role("button", name="Light")
    lamp.tap()
    expect(lamp).to_have_attribute("aria-pressed", "true")
    lamp.tap()
    expect(lamp).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("asked.map((wish) => wish.advanced[0].torch)") == [True, False]
