"""Who runs the cafes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Business:
    """[business] of plugins.toml, as it is shown to guests. `privacy_url` takes the place of the
    built-in notice."""

    name: str = "Malva"
    contact: str = ""
    privacy_url: str = ""
