"""The Telegram channel as a plugin that keeps no pace: Telegram's 30 a second are soon sent."""

from __future__ import annotations

from dataclasses import replace

import malva
from channels.telegram import CONTRACT, Telegram
from channels.telegram.settings import Settings

__all__ = ["CONTRACT", "Settings", "channel"]

UNPACED = malva.Pace(1e9, 10**9)


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Telegram:
    telegram = Telegram(settings, gateway)
    telegram.capabilities = replace(telegram.capabilities, pace=UNPACED, chat_pace=UNPACED)
    return telegram
