"""`python -m bench [name …]`: every benchmark, or those named, each figure beside its floor.

A benchmark is a module of this package with `run()`, a generator of results, or an asynchronous
one. They are also written to bench/results.json.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bench.support.results import Result, line

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    known = sorted(path.stem for path in HERE.glob("[a-z]*.py"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {unknown[0]}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    found: list[Result] = []
    for name in names or known:
        asyncio.run(_collect(name, found))
        (HERE / "results.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


async def _collect(name: str, found: list[Result]) -> None:
    results: Iterator[Result] | AsyncIterator[Result]
    results = importlib.import_module(f"bench.{name}").run()
    if isinstance(results, AsyncIterator):
        async for result in results:
            _keep(found, result)
    else:
        for result in results:
            _keep(found, result)


def _keep(found: list[Result], result: Result) -> None:
    found.append(result)
    print(line(result), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
