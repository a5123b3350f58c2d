"""Whose conversation it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.contract import Channel
from core.keys import Keys


@dataclass(frozen=True, slots=True)
class House:
    """The business that guests talk with. `privacy_url`: instead of the built-in notice; `region`
    (ISO 3166): whose phone numbers guests may type without their country; `channels`: the running
    ones."""

    business: str
    public_url: str
    keys: Keys
    privacy_url: str = ""
    region: str = "RS"
    channels: Mapping[str, Channel] = field(default_factory=dict)
