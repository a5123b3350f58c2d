"""The kit's pytest fixtures, which an installed Malva brings by itself (entry point `pytest11`).

    @pytest.mark.malva(vendor=Line)
    def test_the_contract(channel_contract):
        channel_contract()

gives a test for each case that concerns this vendor's side; `pos_contract` likewise for a till
system. All of them share one running Malva (fixture `channel_trial` or `pos_trial`, which tests of
one's own may use, too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # a test run that has no use for the kit need not wait for Malva's imports
    from core.testkit.cases import Case
    from core.testkit.channel import ChannelTrial
    from core.testkit.pos import PosTrial
    from core.testkit.trial import Trial

pytest.register_assert_rewrite("core.testkit.cases", "core.testkit.channel", "core.testkit.pos")

KINDS = ("channel", "pos")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "malva(vendor): the vendor's side for Malva's contract kit (docs/plugins.md)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in KINDS:
        if f"{kind}_trial" not in metafunc.fixturenames:
            continue
        vendor = _vendor(metafunc)
        metafunc.parametrize(f"{kind}_trial", [vendor], indirect=True, ids=[vendor.name])
        if f"{kind}_contract" in metafunc.fixturenames:
            asked = _cases(kind, vendor)
            names = [case.name for case in asked]
            metafunc.parametrize(f"{kind}_contract", asked, indirect=True, ids=names)


def _vendor(metafunc: pytest.Metafunc) -> Any:
    marker = metafunc.definition.get_closest_marker("malva")
    if marker is None or "vendor" not in marker.kwargs:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid} needs @pytest.mark.malva(vendor=…): docs/plugins.md"
        )
    return marker.kwargs["vendor"]


def _cases(kind: str, vendor: Any) -> list[Case]:
    from core.testkit import cases

    try:
        return (cases.channel if kind == "channel" else cases.pos).for_(vendor)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="module")
def channel_trial(request: pytest.FixtureRequest) -> Iterator[ChannelTrial]:
    """A Malva that runs the channel, and its vendor's side."""
    from core.testkit.channel import ChannelTrial

    with ChannelTrial.of(request.param) as trial:
        yield trial


@pytest.fixture(scope="module")
def pos_trial(request: pytest.FixtureRequest) -> Iterator[PosTrial]:
    """A Malva that runs the till adapter, and its vendor's side."""
    from core.testkit.pos import PosTrial

    with PosTrial.of(request.param) as trial:
        yield trial


@pytest.fixture
def channel_contract(
    request: pytest.FixtureRequest, channel_trial: ChannelTrial
) -> Callable[[], None]:
    """A case of the contract of channels, to be called."""
    return lambda: ask(request.param, channel_trial)


@pytest.fixture
def pos_contract(request: pytest.FixtureRequest, pos_trial: PosTrial) -> Callable[[], None]:
    """A case of the contract of till adapters, to be called."""
    return lambda: ask(request.param, pos_trial)


def ask(case: Case, trial: Trial[Any]) -> None:
    """Asks it; whatever it is about, the log may tell no secret."""
    from core.testkit.trial import Log

    with Log() as log:
        try:
            case.ask(trial)
        finally:
            trial.recover()
    told = log.telling(trial.vendor.secrets)
    assert not told, f"secrets in the log: {told}"
