"""QR pictures: what a phone's camera finds in them is what was put in."""

from __future__ import annotations

import struct
import zlib

import pytest
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M

from core.pictures import BORDER, MASK, draw, qr_png

TEXT = "MALVA1.k3v9w2c8q1x7z5t4.123456"


def pixels(png):
    """Rows of a one-bit PNG without filters, True is dark."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, color, *_ = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, color) == (1, 0)
    length, at, data = 0, 33, b""
    while png[at + 4 : at + 8] != b"IEND":
        (length,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(body),)
        data += body[4:] if body.startswith(b"IDAT") else b""
        at += 12 + length
    raw, stride = zlib.decompress(data), 1 + (width + 7) // 8
    rows = [raw[n * stride + 1 : (n + 1) * stride] for n in range(height)]
    return [[not row[x // 8] >> (7 - x % 8) & 1 for x in range(width)] for row in rows]


def test_the_picture_shows_the_code_with_its_border_and_nothing_else():
    code = QRCode(error_correction=ERROR_CORRECT_M, border=BORDER, mask_pattern=MASK)
    code.add_data(TEXT, optimize=0)
    modules = code.get_matrix()
    shown = pixels(draw(TEXT))
    scale = len(shown) // len(modules)
    assert len(shown) == len(shown[0]) == scale * len(modules)
    assert 480 <= len(shown) <= 600
    assert all(
        shown[y][x] == modules[y // scale][x // scale]
        for y in range(len(shown))
        for x in range(len(shown))
    )


@pytest.mark.anyio
async def test_it_is_drawn_off_the_event_loop_and_the_same_each_time():
    assert await qr_png(TEXT) == draw(TEXT)
    assert await qr_png(TEXT) is await qr_png(TEXT)


@pytest.mark.parametrize("text", ["", "ж", "x" * 500])
def test_any_text_has_its_picture(text):
    assert pixels(draw(text))
