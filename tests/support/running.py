"""A whole Malva for a test, over real HTTP: `with run(database_url, plugins_toml) as malva: …`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from core.testkit import running
from core.testkit.running import SECRET_KEY, Clock, Running

__all__ = ["SECRET_KEY", "WEB_CHAT", "Clock", "Running", "run"]

WEB_CHAT = """
[channels.webchat]
module = "channels.webchat"

[pages.portal]
module = "portal"
"""


def run(database_url: str, plugins: str = WEB_CHAT, **more: Any) -> AbstractContextManager[Running]:
    """The contract kit's own, with web chat and the portal unless told otherwise."""
    return running.run(database_url, plugins, **more)
