"""Tests of the demo share one worker, since its server takes longest to start.

By their files: of pytest-xdist's own groups this pytest tells nothing
(https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

OF_THE_DEMO = ("tests/browser/test_demo.py", "tests/browser/test_portal.py")


class DemoTogether(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return "demo" if nodeid.startswith(OF_THE_DEMO) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> DemoTogether:
    return DemoTogether(config, log)
