"""The portal's rewards room over HTTP: forms, pictures, previews, and what becomes of bad input."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO

import httpx2
import pytest
import sqlalchemy as sa
from PIL import Image

from core.storage import tables
from portal import forms, photos
from tests.end_to_end.around import plugins
from tests.support.portal import Browser, csrf_in, hire, said
from tests.support.running import Running, run

PIE = {"programme": "1", "name_en": "Pie", "name_sr": "Pita", "kind": "product", "cost": "60"}


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('rewards')}/malva.db"
    with run(url, plugins(), cafes=("bife",)) as running:
        hire(running, "olga", "owner")
        yield running


@pytest.fixture(scope="module")
def owner(malva: Running) -> Iterator[Browser]:
    with Browser(malva.url) as browser:
        assert browser.sign_in("olga").status_code == 303
        yield browser


def send(owner: Browser, path: str, fields: dict[str, str], picture: bytes | None = None):
    """The form as a browser sends it: in parts, an empty one where no file was chosen."""
    csrf = csrf_in(owner.get("/portal/account").text)
    name = "" if picture is None else "pie.png"
    files = {"picture": (name, picture or b"", "image/png")}
    return owner.http.post(path, data={"csrf": csrf, **fields}, files=files)


def newest(malva: Running) -> sa.Row:
    rows = sa.select(tables.rewards).order_by(tables.rewards.c.id.desc())
    return malva.database.read_now(lambda tx: tx.execute(rows).first())


def drawn(size: tuple[int, int] = (60, 40), kind: str = "PNG", mode: str = "RGB", **more) -> bytes:
    out = BytesIO()
    Image.new(mode, size, "teal").save(out, kind, **more)
    return out.getvalue()


def noise(side: int) -> bytes:
    """A picture that nothing makes smaller."""
    out = BytesIO()
    data = random.Random(4).randbytes(side * side * 3)
    Image.frombytes("RGB", (side, side), data).save(out, "PNG")
    return out.getvalue()


# -- a reward's life -------------------------------------------------------------------------------


def test_a_reward_comes_changes_and_goes(malva: Running, owner: Browser) -> None:
    sent = {
        **PIE, "text_en": "Warm, of course", "per_guest": "2", "stock": "30",
        "first_day": "2020-01-01", "last_day": "2099-12-31",
    }  # fmt: skip
    added = send(owner, "/portal/rewards/new", sent)
    assert added.headers["location"] == "/portal/rewards?done=reward_added"
    listed = owner.get("/portal/rewards").text
    for shown in ("Pie", "60 points", "2 times for each guest", "30 left", "until 31 December"):
        assert shown in listed
    row = newest(malva)
    page = owner.get(f"/portal/rewards/{row.id}").text
    for field in ('value="Pita"', 'value="Warm, of course"', 'value="2099-12-31"'):
        assert field in page
    half = {**PIE, "kind": "percentage", "percent": "12,5 %", "cost": "80"}
    assert send(owner, f"/portal/rewards/{row.id}", half).status_code == 303
    assert "12.5% off" in owner.get("/portal/rewards").text
    assert 'value="12.5"' in owner.get(f"/portal/rewards/{row.id}").text
    owner.send(f"/portal/rewards/{row.id}/off")
    assert newest(malva).active is False
    owner.send(f"/portal/rewards/{row.id}/on")
    assert newest(malva).active is True
    assert "Reward changed: Pie, for 80" in owner.get("/portal/log").text


def test_an_amount_is_money_of_the_programme(malva: Running, owner: Browser) -> None:
    send(owner, "/portal/rewards/new", {**PIE, "kind": "amount", "amount": "199,50"})
    assert (newest(malva).kind, newest(malva).value) == ("amount", 19950)


def test_a_stock_that_stands_in_the_form_as_it_was_is_not_put_back(
    malva: Running, owner: Browser
) -> None:
    send(owner, "/portal/rewards/new", {**PIE, "stock": "5"})
    row = newest(malva)
    given = sa.update(tables.rewards).where(tables.rewards.c.id == row.id).values(stock=3)
    malva.database.write_now(lambda tx: tx.execute(given) and None)
    form = {**PIE, "stock": "5", "stock_was": "5"}
    send(owner, f"/portal/rewards/{row.id}", form)
    assert newest(malva).stock == 3
    send(owner, f"/portal/rewards/{row.id}", {**form, "stock": "9"})
    assert newest(malva).stock == 9


def test_the_preview_says_who_could_have_it_today_and_after_how_many_visits(
    malva: Running, owner: Browser
) -> None:
    before = newest(malva)
    piece = send(owner, "/portal/rewards/preview", {**PIE, "cost": "105"}).text
    assert "<html" not in piece
    assert "0 guests could have it today" in piece
    assert "spends 10 RSD each time has it after 11 visits" in piece.replace("\u00a0", " ")
    whole = send(owner, "/portal/rewards/new", {**PIE, "cost": "9", "preview": "1"})
    assert (whole.status_code, "after 1 visit" in whole.text) == (200, True)
    assert newest(malva) == before
    for senseless in ("", "0", "-5", "9" * 9, "x", "²"):
        piece = send(owner, "/portal/rewards/preview", {**PIE, "cost": senseless}).text
        assert "Here you see" in piece


# -- pictures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "brought",
    [
        drawn(),
        drawn(mode="RGBA"),
        drawn(mode="P"),
        drawn(mode="L"),
        drawn(kind="JPEG"),
        drawn(kind="JPEG", mode="CMYK"),
        drawn(kind="WEBP"),
        drawn(kind="WEBP", mode="RGBA"),
        drawn((2400, 1600)),
    ],
    ids=["png", "clear", "palette", "grey", "jpeg", "cmyk", "webp", "clear webp", "large"],
)
def test_a_picture_is_drawn_anew_and_kept_by_those_who_see_it(
    malva: Running, owner: Browser, brought: bytes
) -> None:
    assert send(owner, "/portal/rewards/new", PIE, brought).status_code == 303
    where = re.search(
        r'class="photo" src="([^"]*)"', owner.get(f"/portal/rewards/{newest(malva).id}").text
    ).group(1)
    served = httpx2.get(malva.url + where)
    assert served.headers["content-type"] == "image/jpeg"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in served.headers["cache-control"]
    assert served.content != brought
    with Image.open(BytesIO(served.content)) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) <= photos.LONGEST_SIDE
        assert not picture.getexif()


def test_where_a_picture_was_taken_is_nobody_s_business() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "at my home", 6
    photo = photos.draw(drawn((60, 40), "JPEG", exif=exif))
    assert b"at my home" not in photo.content
    assert Image.open(BytesIO(photo.content)).size == (40, 60), "upright"


def test_a_picture_goes_and_another_comes(malva: Running, owner: Browser) -> None:
    send(owner, "/portal/rewards/new", PIE, drawn((70, 30)))
    first, path = newest(malva).picture_id, f"/portal/rewards/{newest(malva).id}"
    send(owner, path, PIE)
    assert newest(malva).picture_id == first
    send(owner, path, PIE, drawn((30, 70)))
    second = newest(malva).picture_id
    assert second not in (None, first)
    assert httpx2.get(f"{malva.url}/pictures/{first:016x}").status_code == 404
    send(owner, path, {**PIE, "no_picture": "1"})
    assert newest(malva).picture_id is None


@pytest.mark.parametrize(
    "named", ["0", "x" * 16, "ffffffffffffffff", "0" * 16, "..%2fx", "%00", "0" * 5000, "²" * 16]
)
def test_a_picture_that_there_is_not(malva: Running, named: str) -> None:
    assert httpx2.get(f"{malva.url}/pictures/{named}").status_code == 404


def bomb() -> bytes:
    """A PNG of two kilobytes that says it is 60,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000_000)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


FORGED = {
    "not a picture": b"<html><script>x</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>',
    "only a head": b"\x89PNG\r\n\x1a\n" + b"\xff" * 200,
    "cut off": drawn((400, 400), "JPEG")[:700],
    "another format": drawn(kind="GIF"),
    "a bomb": bomb(),
    "too many pixels": drawn((5001, 5000), mode="1"),
    "broken webp": b"RIFF\x10\0\0\0WEBPVP8L" + b"\xff" * 40,
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_is_no_picture_is_refused_and_the_rest_of_the_form_is_still_there(
    malva: Running, owner: Browser, forged: bytes
) -> None:
    before = newest(malva)
    answer = send(owner, "/portal/rewards/new", PIE, forged)
    assert answer.status_code == 422
    assert "PNG, JPEG or WebP" in said(answer, "bad")
    assert 'value="Pita"' in answer.text
    assert newest(malva) == before


def test_a_picture_that_is_too_large_is_told_from_what_is_no_form(owner: Browser) -> None:
    large = noise(900)
    assert photos.LARGEST < len(large) < forms.LARGEST_WITH_FILE
    assert "1 MB" in said(send(owner, "/portal/rewards/new", PIE, large), "bad")
    huge = send(owner, "/portal/rewards/new", PIE, b"x" * forms.LARGEST_WITH_FILE)
    assert huge.status_code == 403
    elsewhere = send(owner, "/portal/tills", {"cafe": "bife", "name": "x"}, drawn())
    assert elsewhere.status_code == 403, "no other form takes files"


def part(content: bytes, more: str = "") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="csrf"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ("", b""),
        ("", b"--x"),
        ("; boundary=x", b""),
        ("; boundary=x", b"--x\r\n\r\n"),
        ("; boundary=x", b"\xff" * 2000),
        ("; boundary=x; charset=undefined", part(b"\xff")),
        ("; boundary=x; charset=punycode", part(b"\xff")),
        ("; boundary=x", part(b"1", '; filename="a"')),
        (f"; boundary={'x' * 300}", b"--x\r\n"),
    ],
)
def test_parts_that_are_none_are_refused(owner: Browser, more: str, body: bytes) -> None:
    headers = {"Content-Type": f"multipart/form-data{more}"}
    answer = owner.http.post("/portal/rewards/new", content=body, headers=headers)
    assert answer.status_code == 403


# -- what can't be meant ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"cost": "-5"}, "whole number"),
        ({"cost": "0"}, "1 to 1,000,000"),
        ({"cost": ""}, "whole number"),
        ({"name_en": "", "name_sr": ""}, "1 to 64"),
        ({"kind": "miracle"}, "what the reward gives"),
        ({"kind": "percentage", "percent": "-1"}, "percentage"),
        ({"kind": "percentage", "percent": "101"}, "percentage"),
        ({"kind": "amount", "amount": "1e9"}, "amount"),
        ({"kind": "amount", "amount": "-5"}, "above zero"),
        ({"per_guest": "0"}, "limit"),
        ({"stock": "-1"}, "whole number"),
        ({"last_day": "2020-01-01"}, "over already"),
        ({"first_day": "9999-12-31"}, "a day"),
        ({"last_day": "9999-12-31"}, "a day"),
        ({"first_day": "0001-01-01"}, "a day"),
        ({"first_day": "tomorrow"}, "a day"),
        ({"first_day": "2099-01-02", "last_day": "2099-01-01"}, "before the first"),
        ({"text_en": "x" * 400}, "300"),
    ],
)
def test_what_can_not_be_meant_is_said_and_not_done(
    malva: Running, owner: Browser, wrong: dict[str, str], told: str
) -> None:
    before = newest(malva)
    answer = send(owner, "/portal/rewards/new", {**PIE, **wrong})
    assert answer.status_code == 422
    assert told in said(answer, "bad")
    assert newest(malva) == before


def test_markup_is_shown_as_it_is_written(malva: Running, owner: Browser) -> None:
    markup = "<script>x</script>"
    send(owner, "/portal/rewards/new", {**PIE, "name_en": markup, "text_en": markup})
    for path in ("/portal/rewards", f"/portal/rewards/{newest(malva).id}", "/portal/log"):
        page = owner.get(path).text
        assert markup not in page
        assert "&lt;script&gt;" in page


def test_a_window_that_was_over_is_shown_as_that(malva: Running, owner: Browser) -> None:
    last = (malva.clock() + timedelta(days=1)).date().isoformat()
    send(owner, "/portal/rewards/new", {**PIE, "name_en": "Old", "last_day": last})
    malva.clock.move(timedelta(days=3))
    with Browser(malva.url) as browser:
        browser.sign_in("olga")
        page = browser.get("/portal/rewards").text
        assert re.search(r"Old</b>\s*<span[^>]*>A free product · over<", page)
