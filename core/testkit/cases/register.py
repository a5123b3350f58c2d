"""The registers: what is asked of every channel, and of every till adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.testkit.vendors import CAN_LACK


@dataclass(frozen=True, slots=True)
class Case:
    """`needs`: what a vendor's side must not lack for it to be asked; `instead_of`: what it must
    lack."""

    ask: Callable[[Any], None]
    needs: tuple[str, ...] = ()
    instead_of: str | None = None

    @property
    def name(self) -> str:
        return self.ask.__name__.replace("_", " ")

    def concerns(self, lacks: Mapping[str, str]) -> bool:
        if self.instead_of is not None and self.instead_of not in lacks:
            return False
        return not any(need in lacks for need in self.needs)


class Cases(list[Case]):
    """A register: `@channel("signature")` puts a function into it."""

    def __call__(
        self, *needs: str, instead_of: str | None = None
    ) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
        assert {*needs, *([instead_of] if instead_of else [])} <= CAN_LACK.keys()

        def register(ask: Callable[[Any], None]) -> Callable[[Any], None]:
            self.append(Case(ask, needs, instead_of))
            return ask

        return register

    def for_(self, vendor: Any) -> list[Case]:
        """Those that are asked of this vendor's side; ValueError where `lacks` is not in order."""
        for what, reason in vendor.lacks.items():
            if what not in CAN_LACK or not reason.strip():
                known = ", ".join(sorted(CAN_LACK))
                raise ValueError(
                    f"{vendor.__name__}.lacks[{what!r}]: one of {known}, with the reason"
                )
        return [case for case in self if case.concerns(vendor.lacks)]


channel = Cases()
pos = Cases()
