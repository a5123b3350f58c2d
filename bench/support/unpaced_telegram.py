"""The Telegram channel without Telegram's limits, as a plugin: 30 messages a second are soon sent."""

from __future__ import annotations

from dataclasses import replace

import malva
from channels.telegram import CONTRACT, Settings, Telegram

__all__ = ["CONTRACT", "Settings", "channel"]

UNPACED = malva.Pace(1e9, 10**9)


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Telegram:
    telegram = Telegram(settings, gateway)
    telegram.capabilities = replace(telegram.capabilities, pace=UNPACED, chat_pace=UNPACED)
    return telegram
