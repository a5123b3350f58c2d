from __future__ import annotations

import malva
from bench.support.unpaced import unpaced
from channels.telegram import CONTRACT, Telegram
from channels.telegram.settings import Settings

__all__ = ["CONTRACT", "Settings", "channel"]


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Telegram:
    return unpaced(Telegram(settings, gateway))
