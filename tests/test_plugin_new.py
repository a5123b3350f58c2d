"""`malva plugin new`: a project of its own that is good as it is, and runs as a fifth channel."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.cli import malva
from core.commands.plugin import FILES, SCAFFOLD
from core.testkit.provider import Provider
from core.testkit.trial import eventually, post
from tests.end_to_end.process import CHECKOUT, Serving, command, environment

KINDS = ("channel", "pos")


def new(folder: Path, name: str, kind: str = "channel") -> Result:
    arguments = ["plugin", "new", name, "--kind", kind, "--out", str(folder)]
    return CliRunner().invoke(malva, arguments)


def runs(project: Path, *tool: str) -> None:
    """A tool, in the project's own folder and with its settings, has nothing to say against it."""
    ran = subprocess.run(
        [sys.executable, "-m", *tool],
        cwd=project,
        env=environment("sqlite:///unused.db", 1),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_passes_the_contract_kit_as_it_is(tmp_path: Path, kind: str) -> None:
    made = new(tmp_path, "night_owl", kind)
    project = tmp_path / "malva-night-owl"
    assert (made.exit_code, made.output) == (
        0,
        f"{project} is ready; in it: pytest, then see its README.md\n",
    )
    runs(project, "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.slow
def test_what_is_made_is_typed_strictly(tmp_path: Path) -> None:
    cache = str(CHECKOUT / ".mypy_cache" / "plugin-new")  # the second run is a quick one
    for kind in KINDS:
        new(tmp_path / kind, "night_owl", kind)
        runs(tmp_path / kind / "malva-night-owl", "mypy", "--cache-dir", cache, ".")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["q", "line2", "the_night_owl_s_cafe"])
def test_what_is_made_is_clean_whatever_it_is_called(tmp_path: Path, kind: str, name: str) -> None:
    new(tmp_path, name, kind)
    (project,) = tmp_path.iterdir()
    runs(project, "ruff", "check", "--no-cache", ".")
    runs(project, "ruff", "format", "--check", "--no-cache", ".")
    everything = "".join(path.read_text() for path in project.rglob("*.*") if path.is_file())
    assert "acme" not in everything.lower()


def test_the_scaffold_is_whole() -> None:
    """Every file of it is made, whatever else tools have left there."""
    for kind in KINDS:
        found = {str(p.relative_to(SCAFFOLD / kind)) for p in (SCAFFOLD / kind).rglob("*.*")}
        assert {name for name in found if name.endswith((".py", ".toml", ".md"))} == set(FILES)


@pytest.mark.parametrize(
    "name", ["", "Line", "2line", "my-line", "_line", "line_", "a__b", "x" * 21, "../x", "лајн"]
)
def test_a_name_that_can_be_no_module_is_refused(tmp_path: Path, name: str) -> None:
    made = new(tmp_path, name)
    assert made.exit_code == 2
    assert "can't be its name" in made.output
    assert list(tmp_path.iterdir()) == []


def test_the_till_api_s_own_name_is_taken(tmp_path: Path) -> None:
    assert new(tmp_path, "api", "pos").exit_code == 2
    assert new(tmp_path, "api", "channel").exit_code == 0


def test_a_project_that_is_there_is_left_alone(tmp_path: Path) -> None:
    assert new(tmp_path, "line").exit_code == 0
    module = tmp_path / "malva-line" / "malva_line.py"
    module.write_text("mine")
    made = new(tmp_path, "line")
    assert made.exit_code == 1
    assert "is there already" in made.output
    assert module.read_text() == "mine"


def vendor_of(project: Path, provider: Provider) -> Any:
    """The vendor's side that the project's own tests describe."""
    spec = importlib.util.spec_from_file_location(
        "their_tests", project / "tests" / "test_contract.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.NightOwl(provider)


def test_a_fifth_channel_touches_no_file_of_ours(tmp_path: Path) -> None:
    """Made, put on Python's path and named in plugins.toml: `malva serve` runs it."""
    new(tmp_path / "elsewhere", "night_owl")
    project = tmp_path / "elsewhere" / "malva-night-owl"
    with Provider() as provider:
        vendor = vendor_of(project, provider)
        plugins = f"[channels.night_owl]\n{vendor.table()}\n"
        path = f"{CHECKOUT}:{project}"
        url = f"sqlite:///{tmp_path}/malva.db"
        with Serving(tmp_path / "malva", url, plugins, PYTHONPATH=path) as serving:
            added = command(serving.folder, serving.told, "cafe", "add", "bife", "--name", "BIFE")
            assert added.returncode == 0, added.stderr
            listed = command(serving.folder, serving.told, "plugins")
            assert "malva_night_owl" in listed.stdout
            webhook = f"{serving.url}/channels/night_owl/webhook"
            ana = vendor.guest(1)
            for number, text in enumerate(("hi", "English", "Ana", "Skip"), 1):
                event = vendor.says(ana, text, number)
                assert post(vendor.webhook(webhook, [event])) == 200
                eventually(lambda heard=number: len(vendor.seen(ana)) >= heard, what=text)
            card = eventually(lambda: [m for m in vendor.seen(ana) if m.picture], what="the card")
            assert "Your card" in card[0].text
            assert serving.terminate()[0] == 0
