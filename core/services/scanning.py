"""What comes through the one field of the cashier's page: a card or a picked reward, scanned or
typed, or what a guest is to be looked up by."""

from __future__ import annotations

import re
from datetime import datetime

from core.domain import codes, redeeming
from core.services import counter, lookup
from core.services.errors import Refusal
from core.services.identify import Identified, identify
from core.services.lookup import Found
from core.services.till_sessions import TillSession
from core.storage.tx import Tx

_OF_A_SCANNER = re.compile(r"MALVAR?\d*\.|[a-z]+://", re.ASCII | re.IGNORECASE)
"""Nobody is called so: a QR that was read wrongly, or is somebody else's."""


def take(tx: Tx, by: TillSession, text: str, now: datetime) -> str | Found | Refusal:
    """The public id of the visit that it opens; or whom it could be; or why it is nobody.

    A refusal is returned, not raised: a wrong code counts towards the till's lock. Rejected where
    it is too little to look anybody up by.
    """
    till, text = by.till, text.strip()
    if redeeming.scanned(text):
        return _visit(counter.scan(tx, till=till, proof="qr", text=text, now=now))
    if codes.typed(text):
        return _visit(identify(tx, till=till, proof="code", text=text, now=now))
    if redeeming.typed(text):
        return _visit(counter.scan(tx, till=till, proof="code", text=text, now=now))
    if _OF_A_SCANNER.match(text):
        return _visit(identify(tx, till=till, proof="qr", text=text, now=now))
    return lookup.find(tx, by, text, now)


def _visit(answer: Identified | counter.Picked | Refusal) -> str | Refusal:
    return answer if isinstance(answer, Refusal) else answer.visit
