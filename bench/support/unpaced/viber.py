from __future__ import annotations

import malva
from bench.support.unpaced import unpaced
from channels.viber import CONTRACT, Viber
from channels.viber.settings import Settings

__all__ = ["CONTRACT", "Settings", "channel"]


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Viber:
    return unpaced(Viber(settings, gateway))
