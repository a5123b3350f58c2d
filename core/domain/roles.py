"""Who may do what: an owner everything, a manager what belongs to their cafes, a cashier the till.

One table says it for all: for each action the least role, and whether it is done in a cafe, which
then has to be one of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

Role = Literal["owner", "manager", "cashier"]
ROLES: tuple[Role, ...] = get_args(Role)
"""The one who may most comes first."""


class Rule(NamedTuple):
    """`least` is the role that is needed; `per_cafe`: in which cafe counts too."""

    least: Role
    per_cafe: bool = True


ACTIONS: Mapping[str, Rule] = {
    "portal": Rule("manager", per_cafe=False),  # signing in there, one's own account
    "figures": Rule("manager"),
    "log": Rule("manager"),
    "tills": Rule("manager"),
    "devices": Rule("manager"),  # binding a browser to a till
    "till": Rule("cashier"),  # working at one
    "products": Rule("manager"),
    "rewards": Rule("manager"),
    "bonuses": Rule("manager"),
    "employees": Rule("manager"),
    "programme": Rule("owner"),
    "alarms": Rule("owner", per_cafe=False),
}


def may(role: str, action: str) -> bool:
    """Whether the role is enough, whatever the cafe. KeyError for an action that is none."""
    return role in ROLES and ROLES.index(role) <= ROLES.index(ACTIONS[action].least)


def may_appoint(role: str, other: str) -> bool:
    """Whether `role` may make somebody `other`, change them and switch them off: an owner anybody,
    everybody else only who is below them."""
    return role == "owner" or (role == "manager" and other == "cashier")


@dataclass(frozen=True, slots=True)
class Member:
    """Who acts: a member of staff as they are in this transaction. `cafes` holds the row ids of a
    manager's or cashier's; an owner is of all cafes. `language`: the one they chose."""

    id: int
    login: str
    name: str
    role: str
    cafes: frozenset[int]
    language: str | None = None

    def may(self, action: str, cafe_id: int | None = None) -> bool:
        """With a cafe: whether in that one. Without: whether anywhere."""
        if not may(self.role, action):
            return False
        if cafe_id is None or not ACTIONS[action].per_cafe:
            return True
        return self.role == "owner" or cafe_id in self.cafes

    def has(self, cafe_id: int | None) -> bool:
        """Whether the cafe is theirs. What is of no cafe is an owner's."""
        return self.role == "owner" or cafe_id in self.cafes
