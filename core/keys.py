"""Secrets at rest and signed texts, both from MALVA_SECRET_KEY.

Several keys, comma-separated: the first encrypts and signs, all of them are still read, so a key
can be replaced while links and secrets made with the old one stay good.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer

HOW_TO_MAKE = (
    "make one with: python3 -c "
    "'import base64,os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
)


class Keys:
    """`secret_key`: Fernet keys (32 random bytes in URL-safe base64), comma-separated.

    ValueError, with what to do, where one is missing or malformed.
    """

    def __init__(self, secret_key: str) -> None:
        keys = [key.strip() for key in secret_key.split(",") if key.strip()]
        if not keys:
            raise ValueError(f"MALVA_SECRET_KEY is not set; {HOW_TO_MAKE}")
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise ValueError(
                f"MALVA_SECRET_KEY is no Fernet key (32 bytes in URL-safe base64); {HOW_TO_MAKE}"
            ) from None
        self.several = len(keys) > 1
        self._fernet, self._newest = MultiFernet(fernets), fernets[0]
        self._signing = list(reversed(keys))  # itsdangerous signs with the last
        remembered = lru_cache(maxsize=4096)  # a guest at the till or in a chat comes again soon
        self._decrypt = remembered(self._fernet.decrypt)
        self._signed = remembered(self._sign)
        self._read = remembered(self._unsign)

    @staticmethod
    def generate() -> str:
        """A new key."""
        return Fernet.generate_key().decode()

    def encrypt(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def decrypt(self, secret: bytes) -> bytes:
        """ValueError where none of the keys made it."""
        try:
            return self._decrypt(secret)
        except InvalidToken:
            raise ValueError("encrypted with a key that MALVA_SECRET_KEY does not name") from None

    def is_newest(self, secret: bytes) -> bool:
        """Whether the first key made it."""
        try:
            self._newest.decrypt(secret)
        except InvalidToken:
            return False
        return True

    def rotate(self, secret: bytes) -> bytes:
        """The same secret, encrypted with the first key. ValueError where none of them made it."""
        return self._newest.encrypt(self.decrypt(secret))

    def sign(self, purpose: str, value: str) -> str:
        """A URL-safe text that says `value`, for ever. Purposes can't be mixed up."""
        return self._signed(purpose, value)

    def sign_for_a_while(self, purpose: str, value: str) -> str:
        """As `sign`, with the time in it: read with `unsign(…, max_age)`."""
        return str(URLSafeTimedSerializer(self._signing, salt=purpose).dumps(value))

    def unsign(self, purpose: str, text: str, max_age: timedelta | None = None) -> str | None:
        """The value; None where the text is not ours, for another purpose, or too old."""
        try:
            if max_age is None:
                value = self._read(purpose, text)
            else:
                seconds = int(max_age.total_seconds())
                value = URLSafeTimedSerializer(self._signing, salt=purpose).loads(
                    text, max_age=seconds
                )
        except BadSignature:
            return None
        return value if isinstance(value, str) else None

    def _sign(self, purpose: str, value: str) -> str:
        return str(URLSafeSerializer(self._signing, salt=purpose).dumps(value))

    def _unsign(self, purpose: str, text: str) -> Any:
        return URLSafeSerializer(self._signing, salt=purpose).loads(text)
