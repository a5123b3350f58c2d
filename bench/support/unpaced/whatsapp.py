from __future__ import annotations

import malva
from bench.support.unpaced import unpaced
from channels.whatsapp import CONTRACT, WhatsApp
from channels.whatsapp.settings import Settings

__all__ = ["CONTRACT", "Settings", "channel"]


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> WhatsApp:
    return unpaced(WhatsApp(settings, gateway))
