"""What all tests share: promises that they prove, and CI, where a skipped test is a failure."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.promises.recording import measured, pytest_addoption, pytest_collection_modifyitems, pytest_configure

__all__ = ["measured", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure"]

# How long an example takes says how busy the machine is.
settings.register_profile("any-machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a CI run that skipped something."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
