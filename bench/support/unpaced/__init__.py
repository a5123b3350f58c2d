"""Our channels as plugins that keep no pace: what providers allow a second is soon sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import malva

UNPACED = malva.Pace(1e9, 10**9)

C = TypeVar("C", bound=malva.Channel)


def unpaced(channel: C) -> C:
    channel.capabilities = replace(channel.capabilities, pace=UNPACED, chat_pace=UNPACED)
    return channel
