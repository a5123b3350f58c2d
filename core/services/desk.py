"""What the built-in pages are given besides their gateway: the database, keys, the business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.contract import Channel
from core.domain.business import Business
from core.keys import Keys
from core.storage.database import Database


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """Something that the demo's till sells: `names` by language, `price` in major units as a till
    writes it (`"260.00"`)."""

    sku: str
    names: Mapping[str, str]
    price: str


@dataclass(frozen=True, slots=True)
class DemoCafe:
    """A cafe whose till stands on the demo's front page. The token never reaches a browser."""

    slug: str
    name: str
    currency: str
    till_token: str
    products: Sequence[DemoProduct]


@dataclass(frozen=True, slots=True)
class Demo:
    """`api` is where this very server answers, without a slash (`http://127.0.0.1:8000`)."""

    api: str
    cafes: Sequence[DemoCafe]


@dataclass(frozen=True, slots=True)
class Desk:
    """`services` of the hook `pages`, for built-in plugins. `channels` by their names in
    plugins.toml: it may fill up after the pages were made. `demo`: only in the demo."""

    database: Database
    keys: Keys
    business: Business
    channels: Mapping[str, Channel]
    demo: Demo | None = None
