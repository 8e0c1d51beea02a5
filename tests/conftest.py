"""Examples of property tests: the same in every run, or new ones on request.

The standard command draws the same examples every time, on every machine: a failure is a fault of
the change at hand, and never of the draw. `pytest -m hypothesis --hypothesis-profile=fresh` draws
new ones to search for faults; what it finds is added to its test with ``@example`` (see
`tests/README.md`).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOREIGN_FAULT = "foreign fault"
CHROMIUM = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)

settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("fresh", deadline=None, database=None, print_blob=True)
settings.load_profile("fixed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that lets tests install packages."""
    parser.addoption("--install", action="store_true", help="run tests that install packages")
    parser.addoption("--site", metavar="FOLDER", help="check the documentation built there")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that install packages, unless they are asked for."""
    if not config.getoption("--install"):
        skip = pytest.mark.skip(reason="installs packages: run with --install")
        for item in items:
            if item.get_closest_marker("install"):
                item.add_marker(skip)


def pytest_configure(config: pytest.Config) -> None:
    """Make the draws of the fixed profile independent of which modules are imported."""
    if settings.default is not None and settings.default.derandomize:
        # Hypothesis also draws constants that it finds in the source of imported local modules,
        # and which modules are imported depends on how the tests are spread over processes.
        providers.is_local_module_file = lambda path: False
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts commands in the background with interrupts ignored: tests send some.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which makes no requests itself."""
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs chromium (apt-get install chromium)")
        pytest.skip("needs chromium (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture
def foreign_fault(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> Callable[[str], bool]:
    """Report a fault of a foreign oracle that an umpire has confirmed.

    A test calls the fixture with a description when an implementation that is not ours disagrees
    and the umpire (the formula of the specification, or a second implementation) sides with us. In
    a run with fresh draws the fault is listed in the summary, and the fixture returns True: the
    test goes on. Where the draws are fixed it returns False and the test fails, since every fault
    that they meet must be excluded by a rule where the oracle is defined.
    """

    def report(description: str) -> bool:
        if pytestconfig.getoption("--hypothesis-profile") != "fresh":
            return False
        record_property(FOREIGN_FAULT, description)
        return True

    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the faults of foreign oracles that fresh draws met."""
    faults = {
        description
        for reports in terminalreporter.stats.values()
        for report in reports
        for key, description in getattr(report, "user_properties", ())
        if key == FOREIGN_FAULT
    }
    if faults:
        terminalreporter.section("faults of foreign oracles, to be excluded by a rule")
        for description in sorted(faults):
            terminalreporter.write_line(description)
