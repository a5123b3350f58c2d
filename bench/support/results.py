"""What a benchmark finds: a figure beside its floor, measured in the same run."""

from __future__ import annotations

from typing import TypedDict


class Result(TypedDict):
    """`value` and `floor` in `unit`, `ratio` of the two, and the ratio that is the `goal`."""

    name: str
    value: float
    unit: str
    floor: float
    ratio: float
    goal: float


def compared(name: str, value: float, floor: float, *, unit: str, goal: float) -> Result:
    return {
        "name": name,
        "value": _rounded(value),
        "unit": unit,
        "floor": _rounded(floor),
        "ratio": round(value / floor, 3),
        "goal": goal,
    }


def bounded(name: str, value: float, floor: float, *, unit: str, most: float) -> Result:
    """A figure that must not be above `most`, in `unit`; its floor is what nothing gets below."""
    return compared(name, value, floor, unit=unit, goal=round(most / floor, 3))


def line(result: Result) -> str:
    """A result for people to read."""
    return (
        f"{result['name']:<58} {result['value']:>10,} {result['unit']:<9}"
        f" floor {result['floor']:>10,}  ratio {result['ratio']:<6} goal {result['goal']}"
    )


def _rounded(figure: float) -> float:
    return round(figure) if figure >= 1000 else round(figure, 2)
