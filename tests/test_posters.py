"""Join posters: what is printed leads where it should, in three languages, whatever the name."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from core.pictures import modules
from core.posters import MARGIN, WIDTH, Poster, png, svg
from tests.simulators.telegram import TelegramSimulator

TITLE = {"en": "Telegram", "sr": "Telegram", "ru": "Telegram"}
LINK = "https://t.me/bife_bot?start=cafe_bife"


def texts(document: str) -> list[str]:
    root = ET.fromstring(document)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_poster_names_the_cafe_and_invites_in_three_languages():
    said = texts(svg(Poster("BIFE", TITLE, LINK)))
    assert said[0] == "BIFE"
    assert said[1:4] == [
        "Your card in Telegram",
        "Tvoja kartica: Telegram",
        "Ваша карта: Telegram",
    ]
    assert said[-1] == LINK


def test_markup_in_a_cafes_name_is_shown_as_text():
    assert texts(svg(Poster("Ana & <b>Co</b>", TITLE, LINK)))[0] == "Ana & <b>Co</b>"


@pytest.mark.parametrize("name", ["BIFE", "Kafe „Kod Milice i Petra na Zelenom vencu“", "Ж" * 64])
def test_nothing_is_wider_than_the_sheet(name):
    picture = Image.open(io.BytesIO(png(Poster(name, TITLE, LINK + "x" * 90))))
    margin = int(MARGIN / 3 * 300 / 25.4)
    ground = picture.getpixel((0, 0))
    for edge in ((0, 0, margin, 2480), (1748 - margin, 0, 1748, 2480)):
        assert picture.crop(edge).getcolors() == [(margin * 2480, ground)]


def test_the_png_is_a_sheet_of_a5_at_300_dots_an_inch_with_the_whole_code_on_it():
    picture = Image.open(io.BytesIO(png(Poster("BIFE", TITLE, LINK))))
    assert picture.size == (1748, 2480)
    code = modules(LINK)
    side = 92 / len(code)
    for row, dark in enumerate(code):
        for column, is_dark in enumerate(dark):
            x = ((WIDTH - 92) / 2 + (column + 0.5) * side) * 300 / 25.4
            y = (68 + (row + 0.5) * side) * 300 / 25.4
            assert (picture.getpixel((int(x), int(y)))[0] < 128) is is_dark


def test_the_command_writes_a_poster_for_each_messenger(tmp_path, sqlite_url):
    def malva(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "malva", *arguments],
            env={"MALVA_DATABASE_URL": sqlite_url, "MALVA_PLUGINS": str(tmp_path / "plugins.toml")},
            capture_output=True,
            text=True,
            timeout=60,
        )

    with TelegramSimulator() as telegram:
        (tmp_path / "plugins.toml").write_text(
            '[channels.webchat]\nmodule = "channels.webchat"\n'
            '[channels.telegram]\nmodule = "channels.telegram"\n'
            f'token = "{telegram.token}"\napi_base = "{telegram.url}"\n'
        )
        assert malva("cafe", "add", "bife", "--name", "BIFE").returncode == 0
        done = malva("cafe", "poster", "bife", "--out", str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
        assert {path.name for path in (tmp_path / "out").iterdir()} == {
            "bife-telegram.png",
            "bife-telegram.svg",
            "bife-webchat.png",
            "bife-webchat.svg",
        }
        assert "?start=cafe_bife" in (tmp_path / "out" / "bife-telegram.svg").read_text()
        unknown = malva("cafe", "poster", "elsewhere", "--out", str(tmp_path))
        assert unknown.returncode == 1
        assert unknown.stderr.count("\n") == 1
        telegram.fail("getMe", 401, times=None)
        refused = malva("cafe", "poster", "bife", "--out", str(tmp_path / "none"))
        assert refused.returncode == 1
        assert "telegram gives no address to join by" in refused.stderr
