"""What an error means for a message: https://core.telegram.org/bots/api#making-requests"""

from __future__ import annotations

from channels.telegram.lean import exceptions
from malva import SendError

FAILURES = (exceptions.AiogramError, OSError)
"""All that a call may raise; an answer that is no JSON is an AiogramError only."""

GONE = ("chat not found", "user is deactivated", "user not found", "PEER_ID_INVALID")
LATER = 5.0
"""Seconds to wait after a 429 that doesn't say how many."""


def send_error(error: Exception) -> SendError:
    """Whether the same call may go through later, and when."""
    name = type(error).__name__
    match error:
        case exceptions.TelegramRetryAfter():
            return SendError(name, retryable=True, retry_after=error.retry_after, channel_wide=True)
        case exceptions.TelegramUnauthorizedError() | exceptions.TelegramNotFound():
            # the token is wrong: nobody's message is at fault, all wait until it is mended
            return SendError(name, retryable=True, retry_after=60, channel_wide=True)
        case exceptions.TelegramForbiddenError():
            return SendError(name, contact_gone=True)
        case exceptions.TelegramBadRequest():
            gone = any(words in error.message for words in GONE)
            return SendError(f"{name}: {error.message}", contact_gone=gone)
        case exceptions.TelegramEntityTooLarge() | exceptions.TelegramMigrateToChat():
            return SendError(name)
        case exceptions.TelegramServerError() | exceptions.ClientDecodeError():
            return SendError(name, retryable=True)
        case exceptions.TelegramAPIError():  # a 429 without retry_after is one of these
            wait = LATER if "too many requests" in error.message.lower() else None
            return SendError(name, retryable=True, retry_after=wait, channel_wide=wait is not None)
        case OSError():
            uncertain = not isinstance(error, ConnectionRefusedError)
            return SendError(name, retryable=True, uncertain=uncertain)
    return SendError(name)


def not_modified(error: Exception) -> bool:
    """The message looks already as it should."""
    return (
        isinstance(error, exceptions.TelegramBadRequest)
        and "message is not modified" in error.message
    )
