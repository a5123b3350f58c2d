"""What a camera sees of a QR code on a phone's screen, and films of it for Chromium's fake camera.

    film([frame(draw("MALVA1.…"), side=120, tilt=30, blur=1.5)], path)    # a .mjpeg, one frame

Chromium plays such a file over and over, 30 frames a second, as what its camera sees:
`--use-fake-device-for-media-stream --use-file-for-fake-video-capture=<path>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from math import cos, radians, sin
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter

SIZE = (1280, 720)
DISTANCE = 4
"""From the camera to the code, in sides of the code: a phone held over a counter."""

Matrix = tuple[float, float, float, float, float, float, float, float, float]


def frame(
    png: bytes,
    *,
    size: tuple[int, int] = SIZE,
    side: int = 300,
    tilt: float = 0,
    swing: float = 0,
    turn: float = 0,
    blur: float = 0,
    contrast: float = 1,
    noise: float = 4,
) -> Image.Image:
    """A code that is `side` pixels wide (with the white around it) in the middle of the picture.

    `tilt`, `swing` and `turn`, in degrees: leaning away from the camera, sideways, and in its own
    plane. `blur`: the radius in pixels. `contrast`: 1 is black on white, 0 is all grey. `noise`:
    the sensor's, a standard deviation of 255 shades."""
    code = Image.open(BytesIO(png)).convert("L").resize((side * 2, side * 2), Image.Resampling.BOX)
    screen = Image.new("L", (side * 3, side * 3), 24)  # a dark phone around it
    screen.paste(code, (side // 2, side // 2))
    seen = screen.transform(
        size, Image.Transform.PERSPECTIVE, _seen_from(size, side, tilt, swing, turn),
        Image.Resampling.BICUBIC, fillcolor=110,
    )  # fmt: skip
    seen = seen.filter(ImageFilter.GaussianBlur(blur))
    seen = seen.point(lambda shade: round(140 + (shade - 128) * contrast * 0.8))
    return ImageChops.add(seen, Image.effect_noise(size, noise), offset=-128).convert("RGB")


def film(frames: Iterable[Image.Image], path: Path) -> Path:
    """Motion JPEG: one picture after another."""
    with path.open("wb") as file:
        for picture in frames:
            picture.save(file, "JPEG", quality=80)
    return path


def _seen_from(
    size: tuple[int, int], side: int, tilt: float, swing: float, turn: float
) -> tuple[float, ...]:
    """Pillow's eight numbers: from a point of the picture to the point of the screen seen there.

    The screen's plane is turned in space, then seen through a pinhole; that mapping is inverted."""
    a, b, c = radians(tilt), radians(swing), radians(turn)
    xx, xy = cos(b) * cos(c), -cos(b) * sin(c)
    yx, yy = sin(a) * sin(b) * cos(c) + cos(a) * sin(c), cos(a) * cos(c) - sin(a) * sin(b) * sin(c)
    zx, zy = sin(a) * sin(c) - cos(a) * sin(b) * cos(c), cos(a) * sin(b) * sin(c) + sin(a) * cos(c)
    far, (wide, high) = DISTANCE * side, size
    to_picture = (
        far * xx + wide / 2 * zx, far * xy + wide / 2 * zy, far * wide / 2,
        far * yx + high / 2 * zx, far * yy + high / 2 * zy, far * high / 2,
        zx, zy, far,
    )  # fmt: skip
    p, q, r, s, t, u, v, w, x = _inverse(to_picture)
    middle = 1.5 * side  # the screen is drawn twice as large as it is seen; see `frame`
    back = (
        2 * p + middle * v, 2 * q + middle * w, 2 * r + middle * x,
        2 * s + middle * v, 2 * t + middle * w, 2 * u + middle * x,
        v, w,
    )  # fmt: skip
    return tuple(number / x for number in back)


def _inverse(m: Matrix) -> Matrix:
    """Up to a factor, which a projection doesn't mind."""
    a, b, c, d, e, f, g, h, i = m
    return (
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h, a * e - b * d,
    )  # fmt: skip
