"""A guest's invitation as it stands in a deep link: `inv_<code>`."""

from __future__ import annotations

import re

DEEP_LINK = "inv_"
_CODE = re.compile(r"[A-Z2-7]{16}", re.ASCII)


def payload(code: str) -> str:
    """What a link carries."""
    return f"{DEEP_LINK}{code}"


def linked(payload: str | None) -> str | None:
    """The code in a deep link's payload, in whichever case it came; None for any other payload."""
    if not payload or not payload.startswith(DEEP_LINK):
        return None
    code = payload.removeprefix(DEEP_LINK).upper()
    return code if _CODE.fullmatch(code) else None
