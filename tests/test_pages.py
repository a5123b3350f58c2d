"""Pages that everybody may open: how to join, privacy, pictures; and what all pages keep to."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx2
import pytest
from itsdangerous import TimestampSigner

from core.i18n import LANGUAGES, words
from core.services import guests
from core.services.cards import link_token
from core.storage import tables
from tests.end_to_end.around import plugins
from tests.support.running import Running, run


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('pages')}/malva.db"
    toml = plugins().replace('name = "BIFE"', 'name = "BIFE <& Sons>"')
    with run(url, toml, cafes=("bife", "zrno")) as running:
        yield running


@pytest.fixture
def http(malva: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=malva.url, headers={"Accept-Language": "en"}) as client:
        yield client


def new_guest(malva: Running, **known) -> tuple[int, str]:
    """Row id, and the token of the live card."""

    def add(tx) -> tuple[int, str]:
        facts = {"name": "Ana", "language": "en", "cafe_id": 1, **known}
        guest = guests.add(tx, keys=malva.keys, now=malva.clock(), **facts)
        row = tx.execute(tables.guests.select().where(tables.guests.c.id == guest)).one()
        return guest, link_token(row, malva.keys)

    return malva.database.write_now(add)


def signed_long_ago(malva: Running, monkeypatch, purpose: str, value: str, seconds: int) -> str:
    then = int(time.time()) - seconds
    with monkeypatch.context() as past:
        past.setattr(TimestampSigner, "get_timestamp", lambda self: then)
        return malva.keys.sign_for_a_while(purpose, value)


# -- what all pages keep to ------------------------------------------------------------------------


class Looked(HTMLParser):
    """What a page loads, and what stands in it that a strict policy would refuse."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes) -> None:
        self._tag = tag
        for name, value in attributes:
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:"):
                self.inline.append(f"{tag} {name}")
            if name == "src" or (tag == "link" and name == "href"):
                self.loads.append(value)

    def handle_data(self, data) -> None:
        if self._tag in ("script", "style") and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag) -> None:
        self._tag = ""


@pytest.mark.parametrize("path", ["/", "/privacy", "/chat", "/card/{token}", "/card/forged"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_holds_no_script_or_style_and_loads_nothing_from_elsewhere(
    malva: Running, http: httpx2.Client, path: str, language: str
) -> None:
    token = new_guest(malva, name="<b onclick=x>", language=language)[1]
    page = http.get(path.format(token=token), headers={"Accept-Language": language})
    looked = Looked(page.text)
    assert looked.inline == []
    assert [url for url in looked.loads if not url.startswith(("/", "data:image/png"))] == []
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    for url in looked.loads:
        if url.startswith("/"):
            assert http.get(url).status_code == 200, url


@pytest.mark.parametrize("path", ["/", "/privacy", "/chat", "/card/{token}", "/card/forged"])
def test_names_are_shown_as_they_are_written(
    malva: Running, http: httpx2.Client, path: str
) -> None:
    token = new_guest(malva, name="<script>alert(1)</script>")[1]
    page = http.get(path.format(token=token)).text
    assert "BIFE &lt;&amp; Sons&gt;" in page
    assert "BIFE <" not in page
    assert "<script>alert" not in page


def test_static_files_stay_in_the_browser_and_change_their_address_with_their_content(
    http: httpx2.Client,
) -> None:
    sheet = re.search(r'href="(/static/malva.css\?v=\w{12})"', http.get("/").text)
    kept = http.get(sheet.group(1))
    assert kept.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in kept.headers["cache-control"]
    assert http.get("/static/malva.css").headers["cache-control"] == "no-cache"


def test_a_static_file_is_not_sent_again_to_who_has_it(http: httpx2.Client) -> None:
    tag = http.get("/static/scanner.js").headers["etag"]
    again = http.get("/static/scanner.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert http.get("/static/malva.css", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("folder", ["/static/", "/chat/static/"])
@pytest.mark.parametrize("name", ["", "none.css", "..%2fframe.py", "../frame.py", "%00"])
def test_there_are_no_other_static_files(http: httpx2.Client, folder: str, name: str) -> None:
    assert http.get(folder + name).status_code == 404


@pytest.mark.parametrize("path", ["/join", "/demo/till/bife/scan", "/demo/till/bife/order"])
def test_what_is_not_there_answers_404(http: httpx2.Client, path: str) -> None:
    assert http.get(path).status_code == 404
    assert http.post(path, json={}).status_code == 404


# -- languages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("hr,en;q=0.5", "sr-Latn"),
        ("de-DE,sr;q=0.5", "sr-Latn"),
        ("en-GB,ru;q=0.5", "en"),
        ("de", "en"),
        ("", "en"),
        (";;;,,,=\\", "en"),
    ],
)
def test_a_page_speaks_as_the_browser_prefers(http: httpx2.Client, accepted: str, tag: str) -> None:
    page = http.get("/privacy", headers={"Accept-Language": accepted})
    assert f'<html lang="{tag}">' in page.text


def test_a_language_that_was_chosen_stays(http: httpx2.Client) -> None:
    assert '<html lang="ru">' in http.get("/?lang=ru").text
    assert '<html lang="ru">' in http.get("/privacy").text
    assert '<html lang="sr-Latn">' in http.get("/privacy?lang=sr").text


def test_a_language_that_there_is_not_chooses_none(http: httpx2.Client) -> None:
    page = http.get("/?lang=%22%3E%3Cscript%3E")
    assert '<html lang="en">' in page.text
    assert "set-cookie" not in page.headers


# -- how to join -----------------------------------------------------------------------------------


def test_each_cafe_says_how_to_join_on_each_messenger(malva: Running, http: httpx2.Client) -> None:
    page = http.get("/").text
    for slug in ("bife", "zrno"):
        assert f'<h2 id="cafe-{slug}">{slug.upper()}</h2>' in page
        assert f'href="{malva.url}/chat?cafe={slug}"' in page
    assert page.count("data:image/png;base64,") == 2


def test_the_link_of_a_cafe_begins_with_that_cafe(http: httpx2.Client) -> None:
    assert 'data-payload="cafe_bife"' in http.get("/chat?cafe=bife").text


# -- privacy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_privacy_notice_says_whom_to_ask(http: httpx2.Client, language: str) -> None:
    page = http.get("/privacy", headers={"Accept-Language": language}).text
    assert f"<h1>{words(language).text('Privacy notice')}</h1>" in page
    assert "hello@bife.example" in page


def test_a_business_may_have_a_privacy_notice_of_its_own(sqlite_url: str) -> None:
    toml = plugins().replace("[business]", '[business]\nprivacy_url = "https://bife.example/p"')
    with run(sqlite_url, toml) as malva:
        answer = httpx2.get(f"{malva.url}/privacy")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://bife.example/p")


def test_a_guest_gets_everything_that_is_kept_of_them(malva: Running, http: httpx2.Client) -> None:
    guest, _ = new_guest(malva, phone="+381601234567")
    known = malva.database.read_now(guests.profile, guest)
    signed = malva.keys.sign_for_a_while("export", known.public_id)
    answer = http.get(f"/privacy/data/{signed}")
    assert answer.json()["guest"]["phone"] == "+381601234567"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"


def test_the_link_to_a_guest_s_data_works_for_15_minutes(
    malva: Running, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = malva.database.read_now(guests.profile, new_guest(malva)[0])
    for seconds, status in ((890, 200), (910, 404)):
        link = signed_long_ago(malva, monkeypatch, "export", known.public_id, seconds)
        assert http.get(f"/privacy/data/{link}").status_code == status


@pytest.mark.parametrize("purpose", ["media", "card", "plugin:webchat:webchat"])
def test_what_was_signed_for_something_else_opens_no_data(
    malva: Running, http: httpx2.Client, purpose: str
) -> None:
    known = malva.database.read_now(guests.profile, new_guest(malva)[0])
    signed = malva.keys.sign_for_a_while(purpose, known.public_id)
    assert http.get(f"/privacy/data/{signed}").status_code == 404
    assert http.get(f"/privacy/data/{known.public_id}").status_code == 404


# -- pictures --------------------------------------------------------------------------------------


def test_a_picture_is_there_for_two_minutes(
    malva: Running, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, status in ((100, 200), (130, 404)):
        link = signed_long_ago(malva, monkeypatch, "media", "MALVA1.X.123456", seconds)
        answer = http.get(f"/media/{link}")
        assert answer.status_code == status
        assert answer.content.startswith(b"\x89PNG") is (status == 200)


@pytest.mark.parametrize("name", ["forged", "a.b.c", "%00", "x" * 5000])
def test_a_picture_that_we_did_not_sign_is_none(http: httpx2.Client, name: str) -> None:
    assert http.get(f"/media/{name}").status_code == 404
