"""What holds for every test: no real AWS account within reach, and the same strictness everywhere."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

_INTEGRATION = Path(__file__).with_name("integration")

# Other processes share the cores, so how long an example takes, to draw or to run, says nothing.
_PATIENT = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run, with no memory of earlier ones: what turns red is so by the change. The soak looks for
# what nobody has thought of, with new examples each time, and remembers those that failed.
settings.register_profile("default", _PATIENT, derandomize=True)
settings.register_profile("soak", _PATIENT, derandomize=False, max_examples=5_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="search for much longer (make soak)")
    parser.addoption("--localstack-endpoint", metavar="URL", help="test against this LocalStack instead of our own")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--soak"):
        settings.load_profile("soak")
    else:
        settings.load_profile("default")
        _draw_no_constants()
    _forget_the_account()
    _forget_the_terminal()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell does so for what it starts in the background; what the tests start would be deaf to Ctrl-C as well.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _INTEGRATION in item.path.parents:
            item.add_marker(pytest.mark.integration)
        if "localstack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.localstack)


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether this run is to search for much longer."""
    return bool(request.config.getoption("--soak"))


def _forget_the_account() -> None:
    """A test that forgets its endpoint fails on credentials that nobody has, instead of reaching an account."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "KSTREAM_"))]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _forget_the_terminal() -> None:
    """Nor does what commands print hang on where the tests run: on a CI server, say, or in a narrow window."""
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "GITHUB_ACTIONS"):
        os.environ.pop(name, None)


def _draw_no_constants() -> None:
    """Hypothesis mixes in the constants of our modules that are imported by then: of whatever ran before in a worker."""
    pytest.MonkeyPatch().setattr(providers, "_get_local_constants", Constants)
