"""Messages out: claim → render → hand over → mark. The only place that retries.

`claim.py` takes rows and puts them into words, `outcomes.py` writes down what became of them,
`pace.py` says how fast, `line.py` is one channel's way out, `lines.py` has them all.
"""

from core.outbox.lines import Outbox
from core.outbox.render import media_address

__all__ = ["Outbox", "media_address"]
