"""How fast messages leave: token buckets of the channel and of each chat, and the pauses that
providers order. Times are seconds since 1970."""

from __future__ import annotations

from core.contract import Capabilities, Pace

CHATS = 10_000
"""So many chats' buckets are kept before those that are full again are forgotten."""


class Bucket:
    """Holds `burst` tokens at most and gains `per_second`; a message takes one."""

    __slots__ = ("_at", "_pace", "_tokens")

    def __init__(self, pace: Pace, now: float) -> None:
        self._pace = pace
        self._tokens = float(pace.burst)
        self._at = now

    def tokens(self, now: float) -> float:
        gained = max(now - self._at, 0) * self._pace.per_second
        return min(self._tokens + gained, self._pace.burst)

    def take(self, now: float) -> None:
        self._tokens = self.tokens(now) - 1
        self._at = now

    def wait(self, now: float, wanted: float = 1) -> float:
        """Seconds until `wanted` tokens are there."""
        return max(wanted - self.tokens(now), 0) / self._pace.per_second

    def is_full(self, now: float) -> bool:
        return self.tokens(now) >= self._pace.burst


class Pacer:
    """One channel's pace. Only answers may take the last quarter of its burst, so a campaign that
    goes as fast as it may leaves room for who is waiting."""

    def __init__(self, capabilities: Capabilities, now: float) -> None:
        self._chat_pace = capabilities.chat_pace
        self._channel = Bucket(capabilities.pace, now)
        self._reserve = capabilities.pace.burst // 4
        self._chats: dict[int, Bucket] = {}
        self._channel_pause = 0.0
        self._chat_pauses: dict[int, tuple[int, float]] = {}

    def room(self, now: float) -> tuple[int, int]:
        """How many messages may leave now, and how many of them may be other than answers."""
        if now < self._channel_pause:
            return 0, 0
        tokens = int(self._channel.tokens(now))
        return tokens, max(tokens - self._reserve, 0)

    def wait(self, now: float) -> float:
        """Seconds until any message may leave."""
        return max(self._channel_pause - now, self._channel.wait(now, self._reserve + 1))

    def chat_wait(self, contact_id: int, lane: int, now: float) -> float:
        """Seconds until this chat may get a message of this lane; 0: now."""
        paused_lane, until = self._chat_pauses.get(contact_id, (lane, now))
        pause = until - now if lane >= paused_lane else 0.0
        bucket = self._chats.get(contact_id)
        return max(pause, bucket.wait(now) if bucket else 0.0, 0.0)

    def take(self, contact_id: int, now: float) -> None:
        """A message leaves."""
        self._channel.take(now)
        bucket = self._chats.get(contact_id)
        if bucket is None:
            if len(self._chats) >= CHATS:
                self._forget(now)
            bucket = self._chats[contact_id] = Bucket(self._chat_pace, now)
        bucket.take(now)

    def pause_channel(self, until: float) -> None:
        self._channel_pause = max(self._channel_pause, until)

    def pause_chat(self, contact_id: int, lane: int, until: float) -> None:
        """Lanes more urgent than the one that met the pause try for themselves: no answer waits
        for a campaign."""
        self._chat_pauses[contact_id] = (lane, until)

    def _forget(self, now: float) -> None:
        self._chats = {chat: b for chat, b in self._chats.items() if not b.is_full(now)}
        self._chat_pauses = {
            chat: pause for chat, pause in self._chat_pauses.items() if pause[1] > now
        }
