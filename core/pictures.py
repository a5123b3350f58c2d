"""QR codes as PNG, drawn off the event loop.

The mask is fixed: any of the eight can be read, and the search for the best-looking takes most of
the time. A finished code is drawn by hand as a one-bit PNG (ISO/IEC 15948), which zlib packs well.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import qrcode
from qrcode.constants import ERROR_CORRECT_M

BORDER = 4
"""Modules of white around the code (ISO/IEC 18004 asks for four)."""
WIDTH = 480
"""Pixels at least, so that a phone's screen shows it sharp."""
MASK = 0

_POOL = ThreadPoolExecutor(1, thread_name_prefix="pictures")


async def qr_png(text: str) -> bytes:
    """A QR code of `text` as a square PNG of some 480 pixels, error correction M."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, draw, text)


@lru_cache(maxsize=256)
def draw(text: str) -> bytes:
    """As `qr_png`, in the caller's thread."""
    return _png(modules(text))


def modules(text: str) -> list[list[bool]]:
    """The QR code of `text`, row by row, without the white around it; True is dark."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=0, box_size=1, mask_pattern=MASK)
    code.add_data(text, optimize=0)
    return code.get_matrix()


def _png(modules: list[list[bool]]) -> bytes:
    size = len(modules) + 2 * BORDER
    scale = -(-WIDTH // size)
    width = size * scale
    white, quiet = "1" * scale, "1" * (scale * BORDER)
    dark = "0" * scale
    blank = _row("1" * width)
    rows = [blank * (BORDER * scale)]
    for line in modules:
        bits = "".join(dark if module else white for module in line)
        rows.append(_row(quiet + bits + quiet) * scale)
    rows.append(rows[0])
    header = struct.pack(">IIBBBBB", width, width, 1, 0, 0, 0, 0)
    data = zlib.compress(b"".join(rows), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND")


def _row(bits: str) -> bytes:
    """A row of one-bit pixels, 1 is white, behind its filter byte (0: none)."""
    length = -(-len(bits) // 8)
    return b"\0" + int(bits.ljust(length * 8, "1"), 2).to_bytes(length, "big")


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
