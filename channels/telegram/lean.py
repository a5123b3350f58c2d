"""aiogram at a fraction of its price: its types are built when they are first used.

At import aiogram has pydantic build a validator of each of its 400 types, most of them as large as
`Message`: 1.8 of 2.4 seconds and 105 of 130 MB. A bot needs a dozen of them, and pydantic builds
those by itself as soon as they are used, if it knows the names that their annotations mention.
"""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel


def _import_lean() -> None:
    """Imports aiogram without its validators; where it is imported already, there is no gain."""
    if "aiogram" in sys.modules:
        return
    rebuild = BaseModel.__dict__["model_rebuild"]
    names: dict[str, Any] = {}

    def later(cls: type[BaseModel], /, **options: Any) -> bool | None:
        if not cls.__module__.startswith("aiogram."):
            return bool(rebuild.__get__(None, cls)(**options))
        names.update(options["_types_namespace"])
        return None

    setattr(BaseModel, "model_rebuild", classmethod(later))  # noqa: B010
    try:
        from aiogram import methods, types
    finally:
        setattr(BaseModel, "model_rebuild", rebuild)  # noqa: B010
    for module in (types, methods):
        for name in module.__all__:
            model = getattr(module, name)
            if isinstance(model, type) and issubclass(model, BaseModel):
                model.__pydantic_parent_namespace__ = names
    types.Message.model_rebuild()  # what a call gives is read inside of another model


_import_lean()

from aiogram import Bot, exceptions, methods, types  # noqa: E402
from aiogram.enums import ContentType, MenuButtonType  # noqa: E402

__all__ = ["Bot", "ContentType", "MenuButtonType", "exceptions", "methods", "types"]
