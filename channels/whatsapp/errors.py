"""What Twilio's error codes mean for a message: https://www.twilio.com/docs/api/errors"""

from __future__ import annotations

from malva import SendError

RETRYABLE = frozenset({20429, 63012, 63017, 63018})
"""Too many requests; WhatsApp's own fault; too many to this guest, or from this number."""
TOO_MANY = frozenset({20429, 63018})
"""The whole sender's: nothing leaves for a while."""
CLOSED = 63016
"""Outside the 24 hours after the guest's last word."""
GONE = frozenset({21610, 63003, 63024})
"""Has sent STOP; nobody of WhatsApp's has this number or id."""
UNKNOWN = (401, 403, 404)
"""HTTP statuses for an account or a token that isn't Twilio's."""
WRONG_CONTENT = frozenset({21655, 21656})
"""The content is no more, or doesn't take these variables."""

LATER = 5.0
"""Seconds to wait after a 429 that doesn't say how many."""
MENDED = 60.0
"""Seconds to wait where Twilio doesn't know us."""


class Failure(Exception):
    """An answer of Twilio's that is an error: its HTTP status, and its own code if it has one."""

    def __init__(self, status: int, code: int | None = None, retry_after: float | None = None):
        super().__init__(f"Twilio: {code or f'HTTP {status}'}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


def send_error(error: Failure | OSError) -> SendError:
    """Whether the same call may go through later, and when. Never Twilio's own words: they name
    the guest's number."""
    if isinstance(error, OSError):  # TimeoutError too
        uncertain = not isinstance(error, ConnectionRefusedError)
        return SendError(type(error).__name__, retryable=True, uncertain=uncertain)
    name = str(error)
    if error.status == 429 or error.code in TOO_MANY:
        wait = LATER if error.retry_after is None else error.retry_after
        return SendError(name, retryable=True, retry_after=wait, channel_wide=True)
    if error.code == CLOSED:
        return SendError(name, window_closed=True)
    if error.code in GONE:
        return SendError(name, contact_gone=True)
    if error.status in UNKNOWN:
        # nobody's message is at fault, all wait until it is mended
        return SendError(name, retryable=True, retry_after=MENDED, channel_wide=True)
    taken = error.status < 300  # but what it said can't be read
    return SendError(
        name, retryable=error.code in RETRYABLE or error.status >= 500 or taken, uncertain=taken
    )
