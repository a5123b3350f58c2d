"""What is asked of every plugin, a function a case; `channel` and `pos` are registers of them."""

from core.testkit.cases import failing, granting, showing, talking, tilling, webhooks
from core.testkit.cases.register import Case, channel, pos

__all__ = [
    "Case",
    "channel",
    "failing",
    "granting",
    "pos",
    "showing",
    "talking",
    "tilling",
    "webhooks",
]
