"""A picture that somebody brought, drawn anew: decoded, made small and encoded by us, so that
nothing else of what was in the file is ever served. Off the event loop, one at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from PIL import Image, ImageOps

from core.services.errors import Rejected
from core.services.photos import Photo

LARGEST = 1024 * 1024
FORMATS = ("PNG", "JPEG", "WEBP")
MOST_PIXELS = 25_000_000
"""More than a phone's camera takes; what unpacks into more is no photograph."""
LONGEST_SIDE = 1200
QUALITY = 82

_pool = ThreadPoolExecutor(1, thread_name_prefix="photos")


async def drawn(content: bytes) -> Photo:
    """As a JPEG of at most 1200 pixels, upright, on white. Rejected for what is no such picture."""
    if len(content) > LARGEST:
        raise Rejected("picture_large", f"a picture has at most {LARGEST} bytes")
    return await asyncio.get_running_loop().run_in_executor(_pool, draw, content)


def draw(content: bytes) -> Photo:
    """As `drawn`, in the caller's thread."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height <= MOST_PIXELS:
                return Photo("image/jpeg", _encoded(picture))
    except Exception as error:  # a decoder raises anything for what was forged
        raise Rejected("picture", "no picture that can be read") from error
    raise Rejected("picture", f"a picture has at most {MOST_PIXELS} pixels")


def _encoded(picture: Image.Image) -> bytes:
    if picture.mode in ("1", "P"):  # colours from a list can't be mixed
        picture = picture.convert("RGBA")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))  # first, so that little is ever copied
    seen = ImageOps.exif_transpose(picture).convert("RGBA")
    page = Image.new("RGB", seen.size, "white")
    page.paste(seen, mask=seen)
    out = BytesIO()
    page.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
