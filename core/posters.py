"""Join posters: a cafe's QR for one messenger, ready to print, as SVG and PNG.

A poster is a sheet of A5. What stands on it is laid out once, in millimetres, and drawn twice: as
SVG for the print shop, and as PNG of 300 dots per inch for whoever has only a printer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from io import BytesIO
from typing import Literal
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

from core.i18n import LANGUAGES, words
from core.pictures import modules

WIDTH, HEIGHT = 148.0, 210.0
"""A5, in millimetres."""
DOTS = 300 / 25.4
"""Of the PNG, for each millimetre."""
MARGIN = 12.0
QR_SIZE = 92.0

PAGE, INK, SOFT, ACCENT, WHITE = "#fbf7f1", "#2c211c", "#6f5e54", "#8a3a69", "#ffffff"
"""The colours of Malva's pages."""

Weight = Literal["Regular", "Bold"]


@dataclass(frozen=True, slots=True)
class Poster:
    """`link` is what the QR says; `title` the messenger's name in each language."""

    cafe: str
    title: dict[str, str]
    link: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, centred; `y` is its baseline, `size` its height, in millimetres."""

    text: str
    y: float
    size: float
    weight: Weight = "Regular"
    colour: str = INK


def svg(poster: Poster) -> str:
    """A poster as a whole SVG document."""
    code = modules(poster.link)
    left, top, side = _place(code)
    squares = "".join(
        f"M{left + x * side:.3f} {top + y * side:.3f}h{side:.3f}v{side:.3f}h-{side:.3f}z"
        for x, y in _dark(code)
    )
    frame = f'x="{left - 6:.2f}" y="{top - 6:.2f}" width="{QR_SIZE + 12}" height="{QR_SIZE + 12}"'
    lines = "\n".join(
        f'<text x="{WIDTH / 2}" y="{line.y}" font-size="{line.size:.2f}" fill="{line.colour}" '
        f'font-weight="{line.weight.lower()}">{escape(line.text)}</text>'
        for line in _lines(poster)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}mm" height="{HEIGHT}mm" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" text-anchor="middle" '
        f'font-family="Roboto, Helvetica, Arial, sans-serif">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAGE}"/>\n'
        f'<rect {frame} rx="6" fill="{WHITE}"/>\n'
        f'<path d="{squares}" fill="{INK}" shape-rendering="crispEdges"/>\n'
        f"{lines}\n</svg>\n"
    )


def png(poster: Poster) -> bytes:
    """A poster as a PNG of 1748 by 2480 pixels."""
    code = modules(poster.link)
    left, top, side = _place(code)
    sheet = Image.new("RGB", (_dots(WIDTH), _dots(HEIGHT)), PAGE)
    draw = ImageDraw.Draw(sheet)
    frame = (left - 6, top - 6, left + QR_SIZE + 6, top + QR_SIZE + 6)
    draw.rounded_rectangle([_dots(edge) for edge in frame], _dots(6), WHITE)
    for x, y in _dark(code):
        corners = (left + x * side, top + y * side, left + (x + 1) * side, top + (y + 1) * side)
        x0, y0, x1, y1 = map(_dots, corners)
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), INK)
    for line in _lines(poster):
        font = _font(line.weight, _dots(line.size))
        draw.text((_dots(WIDTH / 2), _dots(line.y)), line.text, line.colour, font, "ms")
    found = BytesIO()
    sheet.save(found, "PNG", optimize=True, dpi=(300, 300))
    return found.getvalue()


def _lines(poster: Poster) -> Sequence[Line]:
    """The cafe's name, an invitation in each language, and the address for whoever can't scan."""
    invitations = [
        words(language).text("Your card in {messenger}", messenger=poster.title[language])
        for language in LANGUAGES
    ]
    how = [words(language).text("Scan it with your camera") for language in LANGUAGES]
    return [
        _fitted(Line(poster.cafe, 28, 15, "Bold", ACCENT)),
        *(_fitted(Line(text, 41 + 7 * n, 5.2)) for n, text in enumerate(invitations)),
        _fitted(Line(" · ".join(how), 180, 4.4, "Regular", SOFT)),
        _fitted(Line(poster.link, 190, 4, "Bold", ACCENT)),
    ]


def _fitted(line: Line) -> Line:
    """As large as it was meant, or as fits between the margins."""
    width = _font(line.weight, _dots(line.size)).getlength(line.text) / DOTS
    room = WIDTH - 2 * MARGIN
    if width <= room:
        return line
    return Line(line.text, line.y, line.size * room / width, line.weight, line.colour)


def _place(code: Sequence[Sequence[bool]]) -> tuple[float, float, float]:
    """Left and top of the QR, and the side of one of its modules."""
    return (WIDTH - QR_SIZE) / 2, 68.0, QR_SIZE / len(code)


def _dark(code: Sequence[Sequence[bool]]) -> Iterator[tuple[int, int]]:
    return ((x, y) for y, row in enumerate(code) for x, dark in enumerate(row) if dark)


def _dots(millimetres: float) -> int:
    return round(millimetres * DOTS)


@cache
def _font(weight: Weight, dots: int) -> ImageFont.FreeTypeFont:
    """Roboto (Apache 2.0): it has Serbian's and Russian's letters."""
    with as_file(files("font_roboto") / "files" / f"Roboto-{weight}.ttf") as path:
        return ImageFont.truetype(str(path), dots)
