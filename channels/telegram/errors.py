"""What an error means for a message: https://core.telegram.org/bots/api#making-requests"""

from __future__ import annotations

import aiohttp
from aiogram import exceptions

from malva import SendError

FAILURES = (exceptions.AiogramError, TimeoutError, OSError)
"""All that a call may raise; an answer that is no JSON is an AiogramError only."""

GONE = ("chat not found", "user is deactivated", "user not found", "PEER_ID_INVALID")


def send_error(error: Exception) -> SendError:
    """Whether the same call may go through later, and when. Never holds a token: no URL in it."""
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
        case exceptions.TelegramNetworkError():
            refused = isinstance(error.__cause__, aiohttp.ClientConnectorError)
            return SendError(name, retryable=True, uncertain=not refused)
        case exceptions.TelegramServerError() | exceptions.ClientDecodeError():
            return SendError(name, retryable=True)
        case exceptions.TelegramEntityTooLarge() | exceptions.TelegramMigrateToChat():
            return SendError(name)
        case exceptions.TelegramAPIError():  # a 429 without retry_after is one of these
            wait = 5.0 if "too many requests" in error.message.lower() else None
            return SendError(name, retryable=True, retry_after=wait, channel_wide=wait is not None)
    return SendError(name, retryable=True, uncertain=True)
