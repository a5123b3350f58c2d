"""Options as a numbered list, where a messenger has no buttons for them."""

from __future__ import annotations

from dataclasses import replace

from core.contract import Outbound


def numbered(message: Outbound) -> Outbound:
    """`message` with its options written out below the text; a typed number or label picks one."""
    options = [option for row in message.options for option in row]
    if not options:
        return message
    lines = (f"{number}. {option.label}" for number, option in enumerate(options, 1))
    return replace(message, text="\n".join([message.text, "", *lines]), options=(), menu=False)
