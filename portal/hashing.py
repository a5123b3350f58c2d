"""Passwords and PINs hashed, off the event loop and few at once: each takes 64 MiB and a core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple, Unpack

from core.services import pins, sign_in, staff

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

_pool = ThreadPoolExecutor(2, thread_name_prefix="password")


async def matches(check: sign_in.ToCheck, secret: str) -> bool:
    return await _slowly(sign_in.matches, check, secret)


async def hashed(password: str) -> str:
    """Rejected for a password that is too short or too long."""
    return await _slowly(staff.hash_password, password)


async def hashed_pin(pin: str) -> str:
    """Rejected for what can't be one, or is too easy to guess."""
    return await _slowly(pins.hash_pin, pin)


async def _slowly(fn: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    return await asyncio.get_running_loop().run_in_executor(_pool, fn, *args)
