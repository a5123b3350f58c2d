"""The examples, as projects of their own: what they import, what they say of themselves. Their own
tests, the contract kit among them, run beside these (`testpaths`)."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from core import hookspecs
from core.commands.plugin import SCAFFOLD
from core.plugins import Loader
from core.pluginsfile import load_plugins_toml
from core.testkit.vendors import CAN_LACK, REFUSALS

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("malva-*"))
PROJECTS = [*EXAMPLES, *sorted(SCAFFOLD.iterdir())]
ours = pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)


def sources(project: Path) -> list[Path]:
    return [path for path in project.rglob("*.py") if "__pycache__" not in path.parts]


def imported(path: Path) -> set[str]:
    """The packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@ours
def test_it_imports_malva_and_nothing_else_of_ours(project: Path) -> None:
    (own,) = {path.name.removesuffix(".py") for path in project.glob("malva_*")}
    for path in sources(project):
        known = {*sys.stdlib_module_names, "malva", own, "pydantic", "pytest"}
        assert imported(path) <= known, path


@ours
def test_a_file_of_an_adapter_keeps_its_size(project: Path) -> None:
    adapter = [path for path in sources(project) if "tests" not in path.parts]
    assert adapter
    for path in adapter:
        assert path.read_text().count("\n") <= 250, path


@pytest.mark.parametrize("project", EXAMPLES, ids=lambda path: path.name)
def test_the_table_in_its_readme_is_one_that_it_takes(project: Path, tmp_path: Path) -> None:
    (toml,) = re.findall(r"^ *```toml\n(.*?)```", (project / "README.md").read_text(), re.M | re.S)
    file = tmp_path / "plugins.toml"
    file.write_text(toml)
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", toml), "hunter22")
    assert len(Loader(load_plugins_toml(file, environ)).load()) == 1


@pytest.mark.parametrize("project", EXAMPLES, ids=lambda path: path.name)
def test_what_is_recorded_names_its_source(project: Path) -> None:
    recorded = list((project / "tests").glob("*.json"))
    assert recorded
    for path in recorded:
        assert re.search(r'^  "source": "https://', path.read_text(), re.M), path


def test_no_hook_is_without_a_plugin_that_uses_it() -> None:
    trees = [ROOT / name for name in ("channels", "pos", "portal", "examples")]
    text = "\n".join(path.read_text() for tree in trees for path in sources(tree))
    used = set(re.findall(r"^@malva\.hookimpl\ndef (\w+)\(", text, re.M))
    specified = {
        name
        for name, function in vars(hookspecs).items()
        if hasattr(function, "malva_spec") and callable(function)
    }
    assert used == specified == {"channel", "pos", "pages", "on_event"}


def test_the_reference_names_all_that_a_vendor_may_lack_and_refuse() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    for table in (CAN_LACK, REFUSALS):
        rows = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in table.items())
        assert rows in text
