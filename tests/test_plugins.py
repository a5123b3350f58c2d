"""Loading plugins: what is run, under which name, and what is said of what can't be.

A test writes modules of its own and a plugins.toml that names them.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from textwrap import dedent

import pluggy
import pytest

import core.hookspecs
from core.contract import CONTRACT, GuestJoined
from core.inventory import MASK, describe
from core.plugins import Loader, Plugins
from core.pluginsfile import load_plugins_toml
from core.settings import SettingsError

ROOT = Path(__file__).parents[1]

HEADER = """
    import malva
    CONTRACT = 1
"""

CHANNEL = """
    import malva
    from pydantic import BaseModel, SecretStr
    CONTRACT = 1

    class Place(BaseModel, extra="forbid"):
        id: int

    class Settings(malva.Settings):
        token: SecretStr
        mode: str = "polling"
        places: dict[str, Place] = {}

    @malva.hookimpl
    def channel(settings, gateway):
        return ("a channel", settings.mode, gateway)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to import from; what was imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def loader(folder):
    """`loader(toml, module=source, …)` writes it all and gives the Loader."""

    def make(toml: str, environ: dict[str, str] | None = None, /, **modules: str) -> Loader:
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(dedent(source))
        (folder / "plugins.toml").write_text(dedent(toml).lstrip())
        return Loader(load_plugins_toml(folder / "plugins.toml", environ or {}))

    return make


@pytest.fixture
def wrong(loader, folder):
    """What is said when the plugins can't be used, without the folder."""

    def said(*given, **modules: str) -> list[str]:
        made = loader(*given, **modules)
        with pytest.raises(SettingsError) as caught:
            started(made)
        assert all("\n" not in problem for problem in caught.value.problems)
        return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]

    return said


def started(loader: Loader, services: object = None) -> Plugins:
    loader.load()
    return loader.start(lambda config: f"gateway of {config.name}", services)


# -- what runs -------------------------------------------------------------------------------------


def test_a_named_plugin_runs_with_its_settings_and_its_gateway(loader):
    made = loader('[channels.mine]\nmodule = "mod_a"\ntoken = "t"\nmode = "webhook"', mod_a=CHANNEL)
    assert started(made).channels == {"mine": ("a channel", "webhook", "gateway of mine")}


def test_one_module_under_two_names_gives_two_instances_with_their_own_settings(loader):
    toml = """
        [channels.one]
        module = "mod_b"
        token = "t"
        [channels.two]
        module = "mod_b"
        token = "t"
        mode = "webhook"
    """
    channels = started(loader(toml, mod_b=CHANNEL)).channels
    assert channels["one"] == ("a channel", "polling", "gateway of one")
    assert channels["two"] == ("a channel", "webhook", "gateway of two")


def test_each_name_gets_the_adapter_of_its_own_module(loader):
    other = HEADER + "\n    @malva.hookimpl\n    def channel(gateway):\n        return 'other'\n"
    toml = '[channels.a]\nmodule = "mod_c"\ntoken = "t"\n[channels.b]\nmodule = "mod_d"'
    channels = started(loader(toml, mod_c=CHANNEL, mod_d=other)).channels
    assert channels["a"][0] == "a channel"
    assert channels["b"] == "other"


def test_a_plugin_that_is_not_enabled_is_never_imported(loader):
    made = loader(
        '[channels.x]\nmodule = "mod_e"\nenabled = false\ntoken = "${UNSET}"', mod_e="1/0"
    )
    assert started(made) == Plugins()
    assert "mod_e" not in sys.modules


def test_pages_come_from_any_plugin_and_only_built_in_ones_get_services(loader):
    pages = """
    @malva.hookimpl
    def pages(gateway, services):
        return [(gateway, services)]
    """
    toml = '[pages.mine]\nmodule = "mod_f"\n[channels.chat]\nmodule = "mod_g"\ntoken = "t"\n'
    made = loader(toml, mod_f=HEADER + pages, mod_g=CHANNEL + pages)
    assert started(made, "services").pages == [
        ("gateway of chat", None),
        ("gateway of mine", None),
    ]


def test_every_listener_is_told_once_even_if_another_fails(loader, caplog):
    listens = """
    heard = []
    @malva.hookimpl
    def on_event(event):
        heard.append(event)
    """
    fails = listens.replace("heard.append(event)", "raise RuntimeError('broken')")
    chat = "\n    @malva.hookimpl\n    def channel():\n        return 1\n"
    toml = '[channels.a]\nmodule = "mod_h"\n[channels.b]\nmodule = "mod_i"\n[channels.c]\nmodule = "mod_i"'  # fmt: skip  # noqa: E501
    plugins = started(loader(toml, mod_h=HEADER + chat + fails, mod_i=HEADER + chat + listens))
    event = GuestJoined(guest_id="g", cafe="bife", channel="a")
    plugins.tell(event)
    assert sys.modules["mod_i"].heard == [event]
    assert "on_event failed for GuestJoined" in caplog.text


# -- what can't be used ----------------------------------------------------------------------------


def test_a_missing_module_is_named_with_its_line(wrong):
    assert wrong('\n[channels.x]\nmodule = "no_such_module"') == [
        (
            'plugins.toml:2: module "no_such_module" is not there: check its spelling, '
            "or install it beside malva"
        )
    ]


def test_a_missing_library_of_a_plugin_is_named(wrong):
    (said,) = wrong('[channels.x]\nmodule = "mod_j"', mod_j="import no_such_library.part")
    assert said == 'plugins.toml:2: module "mod_j" needs "no_such_library", which is not installed'


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("1/0", "can't be imported: ZeroDivisionError: division by zero"),
        ("def (", "can't be imported: SyntaxError: "),
        ("raise SystemExit(3)", "can't be imported: SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "can't be imported: ValueError: two lines"),
    ],
)
def test_a_module_that_fails_to_import_is_one_line(wrong, source, says):
    (said,) = wrong('[channels.x]\nmodule = "mod_k"', mod_k=source)
    assert said.startswith(f'plugins.toml:2: module "mod_k" {says}')


@pytest.mark.parametrize(
    ("contract", "says"),
    [
        ("", f"names no contract: a plugin says CONTRACT = {CONTRACT}"),
        ("CONTRACT = '1'", "names no contract"),
        ("CONTRACT = 0", f"is for contract 0, this Malva has {CONTRACT}: update this plugin"),
        ("CONTRACT = 99", f"is for contract 99, this Malva has {CONTRACT}: update Malva"),
    ],
)
def test_a_plugin_of_another_contract_is_refused(wrong, contract, says):
    (said,) = wrong('[channels.x]\nmodule = "mod_l"', mod_l=contract)
    assert says in said
    assert said.startswith('plugins.toml:2: module "mod_l" ')


def test_unknown_missing_and_malformed_keys_are_each_named_with_their_line(wrong):
    toml = """
        [channels.x]
        module = "mod_m"
        tokn = "hunter22"
        mode = 3
        [channels.x.places.bife]
        id = "hunter22"
    """
    assert wrong(toml, mod_m=CHANNEL) == [
        'plugins.toml:1: [channels.x] needs the key "token"',
        'plugins.toml:3: [channels.x] has no key "tokn": did you mean "token"?',
        "plugins.toml:4: [channels.x] mode: Input should be a valid string",
        (
            "plugins.toml:6: [channels.x] places.bife.id: Input should be a valid integer, "
            "unable to parse string as an integer"
        ),
    ]


def test_a_module_without_settings_takes_no_keys(wrong):
    source = HEADER + "\n    @malva.hookimpl\n    def channel():\n        return 1\n"
    assert wrong('[channels.x]\nmodule = "mod_n"\na = 1', mod_n=source) == [
        'plugins.toml:3: [channels.x] has no key "a": it has none'
    ]


def test_a_hook_of_another_name_or_with_other_arguments_is_noticed(wrong):
    misspelt = HEADER + "\n    @malva.hookimpl\n    def chanel(settings):\n        return 1\n"
    (said,) = wrong('[channels.x]\nmodule = "mod_o"', mod_o=misspelt)
    assert "unknown hook 'chanel'" in said
    argument = HEADER + "\n    @malva.hookimpl\n    def channel(nonsense):\n        return 1\n"
    (said,) = wrong('[channels.x]\nmodule = "mod_p"', mod_p=argument)
    assert "nonsense" in said


def test_a_module_of_another_kind_is_refused(wrong):
    assert wrong('[pos.x]\nmodule = "mod_q"\ntoken = "t"', mod_q=CHANNEL) == [
        'plugins.toml:2: module "mod_q" has no hook "pos": it is no plugin for [pos.x]'
    ]


def test_an_adapter_that_can_t_be_made_is_one_line_without_the_secret(wrong):
    source = CHANNEL.replace("return (", "raise ValueError(settings.token.get_secret_value()) or (")
    assert wrong('[channels.x]\nmodule = "mod_r"\ntoken = "hunter22"', mod_r=source) == [
        "plugins.toml:1: [channels.x] can't start: ValueError: …"
    ]


def test_all_plugins_are_looked_at_before_anything_is_said(wrong):
    toml = '[channels.x]\nmodule = "nope_1"\n[pos.y]\nmodule = "nope_2"'
    assert len(wrong(toml)) == 2


# -- what `malva plugins` shows --------------------------------------------------------------------


def test_the_list_masks_secrets_and_imports_nothing_that_is_not_enabled(loader):
    toml = """
        [channels.on]
        module = "mod_s"
        token = "hunter22"
        mode = "${MODE}"
        [channels.off]
        module = "mod_t"
        enabled = false
        webhook_secret = "hunter23"
        colour = "red"
        [channels.bad]
        module = "mod_u"
    """
    made = loader(toml, {"MODE": "polling"}, mod_s=CHANNEL, mod_t="CONTRACT = 7\n1/0", mod_u="1/0")
    lines, faulty = describe(made.file)
    text = "\n".join(lines)
    assert "[channels.on]  mod_s  contract 1  enabled" in lines
    assert "[channels.off]  mod_t  contract 7  not enabled" in lines
    assert "[channels.bad]  mod_u  contract unknown  can't be used" in lines
    assert f'  token = "{MASK}"' in lines
    assert f'  webhook_secret = "{MASK}"' in lines
    assert '  colour = "red"' in lines
    assert "hunter" not in text
    assert faulty == 1
    assert "mod_t" not in sys.modules


# -- the reference ---------------------------------------------------------------------------------


def hooks() -> dict[str, list[str]]:
    """Every hook with its arguments, as pluggy sees them."""
    manager = pluggy.PluginManager("malva")
    manager.add_hookspecs(core.hookspecs)
    return {
        name: list(inspect.signature(function).parameters)
        for name, function in inspect.getmembers(core.hookspecs, inspect.isfunction)
        if manager.parse_hookspec_opts(core.hookspecs, name) is not None
    }


def test_the_reference_names_every_hook_with_its_exact_arguments():
    """docs/plugins.md heads each with `### hook(argument, …)`; none is left out, none made up."""
    text = (ROOT / "docs" / "plugins.md").read_text()
    written = {
        name: [argument.strip() for argument in arguments.split(",")]
        for name, arguments in re.findall(r"^### `(\w+)\(([^)]*)\)`$", text, re.MULTILINE)
    }
    assert written == hooks()


def test_the_module_in_the_reference_loads_as_it_is_written(loader):
    text = (ROOT / "docs" / "plugins.md").read_text()
    (toml,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (module,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    made = loader(toml, {"ACME_TOKEN": "hunter22"}, malva_acme=module)
    assert type(started(made).channels["acme"]).__name__ == "Acme"


def test_the_contract_s_version_in_the_reference_is_the_code_s():
    assert f"`CONTRACT = {CONTRACT}`" in (ROOT / "docs" / "plugins.md").read_text()
