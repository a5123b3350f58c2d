"""Loading plugins: the module, its contract version, its settings; then one instance per name.

A module is imported only if a table of plugins.toml names it and is enabled. Whatever is wrong is
a SettingsError whose problems name the line. Two tables may name the same module: each gets an
instance of its own, made by that module's own hook.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from types import ModuleType
from typing import Any

import pluggy
from pydantic import SecretStr, ValidationError
from starlette.routing import BaseRoute

from core import hookspecs
from core.contract import CONTRACT, Channel, DomainEvent, Gateway, Pos, Settings
from core.logs import Redaction
from core.pluginsfile import PluginConfig, PluginsFile
from core.settings import SettingsError

_log = logging.getLogger(__name__)

BUILT_IN = "portal"
"""The one module of plugins that may know core's services."""

_HOOK = {"channels": "channel", "pos": "pos", "pages": "pages"}
"""What a module has to implement to stand in a table of each kind."""


Keys = Sequence[str | int]


class PluginError(Exception):
    """What is wrong with one plugin: texts, each with the keys below its table that it is about."""

    def __init__(self, text: str, keys: Keys = ("module",), *more: tuple[str, Keys]) -> None:
        super().__init__(text)
        self.faults: list[tuple[str, Keys]] = [(text, keys), *more]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin whose module and settings are good."""

    config: PluginConfig
    module: ModuleType
    settings: Settings


@dataclass(frozen=True, slots=True)
class Plugins:
    """The running plugins, by the names of their tables."""

    channels: dict[str, Channel] = field(default_factory=dict)
    pos: dict[str, Pos] = field(default_factory=dict)
    pages: list[BaseRoute] = field(default_factory=list)
    listeners: list[Callable[..., Any]] = field(default_factory=list)

    def tell(self, event: DomainEvent) -> None:
        """Calls every plugin's `on_event`; what one raises is logged and keeps nobody else."""
        for listener in self.listeners:
            try:
                listener(event=event)
            except Exception:
                _log.exception("a plugin's on_event failed for %s", type(event).__name__)


class Loader:
    """Imports and validates what plugins.toml enables, and makes the instances."""

    def __init__(self, file: PluginsFile) -> None:
        self.file = file
        self.manager = pluggy.PluginManager("malva")
        self.manager.add_hookspecs(hookspecs)
        self.loaded: list[Loaded] = []

    def load(self) -> list[Loaded]:
        """Every enabled plugin; SettingsError with all that is wrong, in the file's order."""
        problems: list[tuple[int, str]] = []
        for config in self.file.enabled:
            problems += self._problems(config, partial(self._load, config))
        self._raise(problems)
        return self.loaded

    def start(self, gateway_of: Callable[[PluginConfig], Gateway], services: Any) -> Plugins:
        """One instance per name. `gateway_of` gives each its gateway; `services` are core's, for
        the built-in pages."""
        plugins = Plugins()
        problems: list[tuple[int, str]] = []
        for one in self.loaded:
            begin = partial(self._start, plugins, one, gateway_of, services)
            problems += self._problems(one.config, begin)
        self._raise(problems)
        for module in {id(one.module): one.module for one in self.loaded}.values():
            if (listen := self._hook("on_event", module)).get_hookimpls():
                plugins.listeners.append(listen)
        return plugins

    def secrets(self) -> set[str]:
        """Values that must never be seen in a log: those from the environment, and SecretStr."""
        found = {text for one in self.loaded for text in _secret_values(one.settings)}
        return found | self.file.secrets

    # -- a plugin at a time ---------------------------------------------------------------------

    def _load(self, config: PluginConfig) -> None:
        module = _import(config.module)
        _check_contract(config.module, module)
        settings = _settings(config, module)
        self._register(config.module, module)
        if not self._hook(_HOOK[config.kind], module).get_hookimpls():
            raise PluginError(
                f'module "{config.module}" has no hook "{_HOOK[config.kind]}": '
                f"it is no plugin for {config.table}"
            )
        self.loaded.append(Loaded(config, module, settings))

    def _register(self, name: str, module: ModuleType) -> None:
        if self.manager.is_registered(module):
            return
        try:
            self.manager.register(module, name=name)
            self.manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            if self.manager.is_registered(module):
                self.manager.unregister(module)
            raise PluginError(f'module "{name}": {_one_line(str(error))}') from None

    def _start(
        self,
        plugins: Plugins,
        one: Loaded,
        gateway_of: Callable[[PluginConfig], Gateway],
        services: Any,
    ) -> None:
        given = {"settings": one.settings, "gateway": gateway_of(one.config)}
        name, kind = one.config.name, one.config.kind
        if kind == "channels":
            plugins.channels[name] = self._instance("channel", one, given)
        elif kind == "pos":
            plugins.pos[name] = self._instance("pos", one, given)
        built_in = one.config.module.partition(".")[0] == BUILT_IN
        given["services"] = services if built_in else None
        for routes in self._hook("pages", one.module)(**given):
            plugins.pages.extend(routes)

    def _instance(self, hook: str, one: Loaded, given: dict[str, Any]) -> Any:
        made = self._hook(hook, one.module)(**given)
        if made is None:
            raise PluginError(f'module "{one.config.module}" gave no {hook} for these settings')
        return made

    def _hook(self, name: str, module: ModuleType) -> pluggy.HookCaller:
        """The hook as this module alone implements it."""
        others = [plugin for plugin in self.manager.get_plugins() if plugin is not module]
        return self.manager.subset_hook_caller(name, others)

    # -- what went wrong ------------------------------------------------------------------------

    def _problems(self, config: PluginConfig, work: Callable[[], None]) -> list[tuple[int, str]]:
        """Does the work; what is wrong as (line, text)."""
        try:
            work()
        except PluginError as error:
            faults = error.faults
        except Exception as error:
            faults = [(f"{config.table} can't start: {_one_line(error)}", ())]
        else:
            return []
        redact = Redaction(self.secrets())
        return [
            (self.file.line([config.kind, config.name, *keys]), redact(text))
            for text, keys in faults
        ]

    def _raise(self, problems: list[tuple[int, str]]) -> None:
        if problems:
            where = self.file.path
            raise SettingsError(*(f"{where}:{line}: {what}" for line, what in sorted(problems)))


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            what = "is not there: check its spelling, or install it beside malva"
        else:
            what = f'needs "{error.name}", which is not installed'
        raise PluginError(f'module "{name}" {what}') from None
    except (Exception, SystemExit) as error:
        raise PluginError(f'module "{name}" can\'t be imported: {_one_line(error)}') from None


def _check_contract(name: str, module: ModuleType) -> None:
    theirs = getattr(module, "CONTRACT", None)
    if theirs == CONTRACT:
        return
    if not isinstance(theirs, int):
        raise PluginError(
            f'module "{name}" names no contract: a plugin says CONTRACT = {CONTRACT} '
            "(docs/plugins.md)"
        )
    update = "this plugin" if theirs < CONTRACT else "Malva"
    raise PluginError(
        f'module "{name}" is for contract {theirs}, this Malva has {CONTRACT}: update {update}'
    )


def model_of(module: ModuleType) -> type[Settings]:
    """The module's `Settings`; without one it takes no keys."""
    model = getattr(module, "Settings", Settings)
    if not (isinstance(model, type) and issubclass(model, Settings)):
        raise PluginError(f'module "{module.__name__}": Settings must be a malva.Settings')
    return model


def _settings(config: PluginConfig, module: ModuleType) -> Settings:
    model = model_of(module)
    try:
        return model.model_validate(dict(config.settings))
    except ValidationError as error:
        faults = [_fault(config, model, dict(one)) for one in error.errors()]
        raise PluginError(*faults[0], *faults[1:]) from None


def _fault(config: PluginConfig, model: type[Settings], error: dict[str, Any]) -> tuple[str, Keys]:
    """What pydantic found, in a line of our own; its text never has the value in it."""
    keys: Keys = error["loc"]
    key = ".".join(str(part) for part in keys)
    if error["type"] == "extra_forbidden":
        known = sorted(info.alias or name for name, info in model.model_fields.items())
        near = get_close_matches(key, known, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"it has {', '.join(known) or 'none'}"
        return f'{config.table} has no key "{key}": {hint}', keys
    if error["type"] == "missing":
        return f'{config.table} needs the key "{key}"', keys
    text = _one_line(error["msg"].removeprefix("Value error, "))
    return f"{config.table} {key}: {text}" if key else f"{config.table}: {text}", keys


def _secret_values(value: Any) -> Iterator[str]:
    """Every SecretStr in a model, however deep."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif hasattr(value, "model_fields_set"):
        for inner in dict(value).values():
            yield from _secret_values(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _secret_values(inner)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _secret_values(inner)


def _one_line(error: object) -> str:
    """`ValueError: the text`, on one line and not too long; a text alone stays as it is."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, str) else f"{type(error).__name__}: {text}".rstrip(": ")
