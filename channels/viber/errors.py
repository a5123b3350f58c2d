"""What Viber's statuses mean for a message: https://developers.viber.com/docs/api/rest-bot-api/#error-codes"""

from __future__ import annotations

from malva import SendError

GONE = frozenset({5, 6})
"""Not on Viber; not subscribed: a guest is once they have written."""
OURS = frozenset({2, 7, 8, 9, 10, 15})
"""The token, the bot or its webhook: nobody's message is at fault, all wait until it is mended."""
NEVER = frozenset({1, 3, 4, 11, 13, 14, 16, 17, 18, 19, 20, 21, 22})
"""This message, to this guest: not understood, or for another app or country than theirs. Anything
else may go through later: too many (12), no free ones left (23, 24), what Viber can't explain."""

LATER = 5.0
"""Seconds to wait after a 429 that doesn't say how many."""
MENDED = 60.0
"""Seconds to wait where Viber doesn't know us."""


class Failure(Exception):
    """An answer of Viber's that is an error: its HTTP status, and its own status if it has one."""

    def __init__(self, http: int, status: int | None = None, retry_after: float | None = None):
        super().__init__(f"Viber: HTTP {http}" if status is None else f"Viber: status {status}")
        self.http = http
        self.status = status
        self.retry_after = retry_after

    @property
    def ours(self) -> bool:
        return self.status in OURS or (self.status is None and self.http in (401, 403, 404))


def send_error(error: Failure | OSError) -> SendError:
    """Whether the same call may go through later, and when."""
    if isinstance(error, OSError):  # TimeoutError too
        uncertain = not isinstance(error, ConnectionRefusedError)
        return SendError(type(error).__name__, retryable=True, uncertain=uncertain)
    name = str(error)
    if error.ours:
        return SendError(name, retryable=True, retry_after=MENDED, channel_wide=True)
    if error.http == 429:
        wait = LATER if error.retry_after is None else error.retry_after
        return SendError(name, retryable=True, retry_after=wait, channel_wide=True)
    if error.status is not None:
        return SendError(
            name, retryable=error.status not in GONE | NEVER, contact_gone=error.status in GONE
        )
    taken = error.http < 300  # but what it said can't be read
    return SendError(name, retryable=taken or error.http >= 500, uncertain=taken)
