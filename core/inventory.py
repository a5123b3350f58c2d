"""What `malva plugins` shows: each plugin, its contract, its settings with secrets masked.

A plugin that is not enabled is never imported: its contract version is read from its source.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from core.contract import CONTRACT
from core.plugins import Loader
from core.pluginsfile import PluginConfig, PluginsFile
from core.settings import SettingsError

MASK = "********"

_SECRET_KEY = re.compile(r"token|secret|password|passwd|key|api_value|_sid$|credential")
"""Keys that are masked where no model says which are secret: better one too many."""


def describe(file: PluginsFile) -> tuple[list[str], int]:
    """The lines to show, and how many enabled plugins can't be used."""
    lines, faulty = [f"{file.path}, contract {CONTRACT}"], 0
    for config in file.plugins:
        alone = Loader(replace(file, plugins=(config,)))
        problems: tuple[str, ...] = ()
        try:
            alone.load()
        except SettingsError as error:
            problems = error.problems
            faulty += 1
        state = "not enabled" if not config.enabled else "can't be used" if problems else "enabled"
        loaded = [one.module for one in alone.loaded]
        contract = loaded[0].CONTRACT if loaded else _contract_of(config.module)
        lines += ["", f"{config.table}  {config.module}  contract {contract}  {state}"]
        lines += [f"  {line}" for line in _settings(config, alone)]
        lines += [f"  {problem}" for problem in problems]
    return lines, faulty


def _settings(config: PluginConfig, loader: Loader) -> Iterator[str]:
    secret_values = loader.secrets()
    secret_keys = {key for one in loader.loaded for key in _secret_fields(one.settings)}

    def shown(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {inner: shown(inner, below) for inner, below in value.items()}
        if isinstance(value, list):
            return [shown(key, below) for below in value]
        text = str(value)
        named = key in secret_keys or _SECRET_KEY.search(key.lower())
        if value != "" and (named or "${" in text or text in secret_values):
            return MASK
        return value

    for key, value in config.given.items():
        yield f"{key} = {json.dumps(shown(key, value), ensure_ascii=False, default=str)}"


def _secret_fields(model: Any) -> Iterator[str]:
    for name, info in type(model).model_fields.items():
        if isinstance(getattr(model, name), SecretStr):
            yield info.alias or name


def _contract_of(module: str) -> str:
    """The CONTRACT that the module's source names; "unknown" where it can't be told."""
    try:
        spec = importlib.util.find_spec(module)
        source = Path(spec.origin).read_text() if spec and spec.origin else ""
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
                node.value, ast.Constant
            ):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(t, ast.Name) and t.id == "CONTRACT" for t in targets):
                    return str(node.value.value)
    except (ImportError, OSError, ValueError, SyntaxError):
        pass
    return "unknown"
