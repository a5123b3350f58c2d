"""Every hook that a plugin may implement: four, all of them used by plugins in this tree.

`channel` by channels/, `pos` by pos/, `pages` by the portal and the web chat, `on_event` by
examples/malva-shopify, which writes an order's points on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pluggy
from starlette.routing import BaseRoute

from core.contract import Channel, DomainEvent, Gateway, Pos, Settings

hookspec = pluggy.HookspecMarker("malva")
hookimpl = pluggy.HookimplMarker("malva")


@hookspec(firstresult=True)
def channel(settings: Settings, gateway: Gateway) -> Channel | None:
    """A messenger's adapter, for a plugin named under [channels.*] in plugins.toml."""


@hookspec(firstresult=True)
def pos(settings: Settings, gateway: Gateway) -> Pos | None:
    """A till system's adapter, for a plugin named under [pos.*]."""


@hookspec
def pages(settings: Settings, gateway: Gateway, services: Any) -> Sequence[BaseRoute]:
    """Pages of one's own, served as they are. `services` is None but for built-in plugins."""


@hookspec
def on_event(event: DomainEvent) -> None:
    """Something happened and is committed. Called once, on the node where it happened, on the
    event loop: return at once and leave work to `Gateway.background`."""
