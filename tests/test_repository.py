"""What holds for the repository as a whole: locks without hosts, rules that bite, sizes."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ["requirements.lock", "requirements-test.lock"]
OURS = ["core", "channels", "pos", "portal"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = [contract["name"] for contract in PROJECT["tool"]["importlinter"]["contracts"]]

# Written in two halves, so that this file is not what it looks for.
REGISTRIES = re.compile(
    rb"pypi\.or" rb"g|pythonhosted\.or" rb"g|npmjs\.(?:or" rb"g|com)|yarnpkg\.co" rb"m"
    rb"|deb\.debian\.or" rb"g|archive\.ubuntu\.co" rb"m|crates\.i" rb"o|proxy\.golang\.or" rb"g"
)  # fmt: skip


def tracked() -> list[Path]:
    """Every file that git knows here; all files of ours where this is no checkout."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        paths = [path for name in [*OURS, "tests"] for path in (ROOT / name).rglob("*")]
    return [path for path in paths if path.is_file()]


def pinned(lock: str) -> dict[str, list[str]]:
    """The lock's requirements as `name==version ; marker`, each with its hashes."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (ROOT / lock).read_text().splitlines():
        text = line.strip().removesuffix("\\").strip()
        if line.startswith("    --hash="):
            current.append(text.removeprefix("--hash="))
        elif text and not text.startswith("#"):
            current = found.setdefault(text, [])
    return found


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def test_no_tracked_file_names_a_package_registry() -> None:
    naming = [str(p.relative_to(ROOT)) for p in tracked() if REGISTRIES.search(p.read_bytes())]
    assert naming == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_versions_with_hashes_and_names_no_place(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()
    requirements = pinned(lock)
    assert len(requirements) > 20
    for text, hashes in requirements.items():
        requirement = Requirement(text)  # an option (--index-url, --find-links) is none
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), text
        assert hashes, f"{text} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", entry) for entry in hashes), text


def test_the_test_lock_holds_what_the_lock_holds() -> None:
    running, testing = pinned("requirements.lock"), pinned("requirements-test.lock")
    assert {text: testing.get(text) for text in running} == running


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(lock: str) -> None:
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["install"]]
    if lock == "requirements-test.lock":
        asked += PROJECT["project"]["optional-dependencies"]["test"]
    versions = {}
    for text in pinned(lock):
        requirement = Requirement(text)
        versions[canonicalize_name(requirement.name)] = str(requirement.specifier)[2:]
    for text in asked:
        wanted = Requirement(text)
        version = versions.get(canonicalize_name(wanted.name))
        assert version, f"{text} is not in {lock}: make lock"
        assert wanted.specifier.contains(version), f"{lock} has {version}: make lock"


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / ".ci").iterdir()))
def test_scripts_parse_and_may_be_run(script: str) -> None:
    path = ROOT / ".ci" / script
    assert path.stat().st_mode & 0o111
    assert path.read_text().splitlines()[0] == "#!/usr/bin/env bash"
    subprocess.run(["bash", "-n", path], check=True)


def lint_imports(tree: Path) -> str:
    """What import-linter says of a tree, on one line for each contract."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


VIOLATIONS = {
    "Inside core, downwards only": ("core/domain/_v.py", "import core.services"),
    "core knows no plugin: they come in through plugins.toml": ("core/_v.py", "import channels"),
    "Channels know malva only": ("channels/_v.py", "import core.domain"),
    "Tills know malva only": ("pos/_v.py", "from core import domain"),
    "No adapter knows another": ("channels/_v.py", "import pos._v"),
    "The portal knows malva, core's services, domain and words": (
        "portal/_v.py",
        "import core.storage",
    ),
    "The domain thinks: no I/O, no clock, no chance of its own": ("core/domain/_v.py", "import os"),
    "The conversation knows no messenger, no database, no clock, no chance": (
        "core/conversation/_v.py",
        "from random import choice",
    ),
}
"""For each contract a line that it has to refuse, and the file that holds it."""


def test_every_import_contract_refuses_what_it_is_for(tmp_path: Path) -> None:
    assert sorted(VIOLATIONS) == sorted(CONTRACTS)
    for name in [*OURS, "pyproject.toml"]:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    (tmp_path / "pos" / "_v.py").touch()
    for path, line in VIOLATIONS.values():
        with (tmp_path / path).open("a") as file:
            file.write(f"{line}\n")
    said = lint_imports(tmp_path)
    kept = [name for name in CONTRACTS if f"{name} BROKEN" not in said]
    assert kept == [], said


def test_domain_and_conversation_ask_no_clock() -> None:
    """The import rules can't see these: `datetime` itself is welcome there."""
    asking = []
    for path in sources("core/domain", "core/conversation"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else None
                owner = node.value.id if isinstance(node.value, ast.Name) else owner
                if owner in {"datetime", "date"}:
                    asking.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert asking == []


def test_functions_and_adapters_keep_their_size() -> None:
    """A function never above 70 lines (a migration may be), an adapter's file never above 250."""
    long = []
    for path in sources(*OURS):
        if "migrations" in path.parts:
            continue
        text = path.read_text()
        if path.relative_to(ROOT).parts[0] in {"channels", "pos"} and text.count("\n") > 250:
            long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 70:
                    long.append(
                        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"
                    )
    assert long == []


def test_each_benchmark_runs_by_its_name() -> None:
    modules = [path.stem for path in (ROOT / "bench").glob("[a-z]*.py")]
    assert "orders" in modules
    for name in modules:
        assert callable(importlib.import_module(f"bench.{name}").run), name


def test_the_map_has_every_file_of_the_core() -> None:
    told = (ROOT / "docs/design.md").read_text()
    core = ROOT / "core"
    files = [*core.glob("*.py"), *(core / "services").glob("*.py"), *(core / "domain").glob("*.py")]
    names = {path.stem for path in files} - {"__init__"}
    assert {name for name in names if not re.search(rf"\b{name}\b(\.py)?`", told)} == set()
