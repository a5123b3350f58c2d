"""`malva cafe poster`: a poster for each messenger that is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from core.atrest import at_rest
from core.contract import Channel, Finding
from core.i18n import LANGUAGES, words
from core.plugins import Loader
from core.pluginsfile import load_plugins_toml
from core.posters import Poster, png, svg
from core.services import cafes
from core.services.errors import NotPossible
from core.settings import Settings
from core.storage.database import Database


def write_posters(settings: Settings, database: Database, slug: str, out: Path) -> list[Path]:
    """Writes `<slug>-<channel>.svg` and `.png` into `out`; their paths.

    Asks each messenger for the name that its address needs. NotPossible for an unknown cafe, or
    where a messenger doesn't tell.
    """
    posters = asyncio.run(_posters(settings, database, slug))
    if not posters:
        raise NotPossible("no messenger is connected: enable one in plugins.toml")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for channel, poster in posters.items():
        as_svg, as_png = out / f"{slug}-{channel}.svg", out / f"{slug}-{channel}.png"
        as_svg.write_text(svg(poster), encoding="utf-8")
        as_png.write_bytes(png(poster))
        written += [as_svg, as_png]
    return written


async def _posters(settings: Settings, database: Database, slug: str) -> dict[str, Poster]:
    """By the names of the channels."""
    await database.read(cafes.get, slug)
    cafe = next(one.name for one in await database.read(cafes.everyone) if one.slug == slug)
    loader = Loader(load_plugins_toml(settings.plugins, settings.environ))
    loader.load()
    async with at_rest(settings, loader, database) as plugins:
        return {
            name: Poster(cafe, _titles(name, channel), await _link(name, channel, slug))
            for name, channel in plugins.channels.items()
        }


def _titles(name: str, channel: Channel) -> dict[str, str]:
    title = channel.capabilities.title or name
    return {language: words(language).text(title) for language in LANGUAGES}


async def _link(name: str, channel: Channel, slug: str) -> str:
    findings = await channel.check()
    link = channel.join_link(f"cafe_{slug}")
    if link is None:
        raise NotPossible(f"{name} gives no address to join by: {_why(findings)}")
    return link


def _why(findings: Sequence[Finding]) -> str:
    wrong = [f for f in findings if f.level == "error"]
    return "; ".join(f.message for f in wrong) or "malva check says why"
