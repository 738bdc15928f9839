"""What stands in the documentation and is not run by its tests: each command, with the reason. Keep it short."""

from __future__ import annotations

NOT_RUN = {
    "kstream consume order_totals.py --stream orders --region eu-west-1": "needs an AWS account, and there is none",
    "python -m deploy plan --env prod; python -m deploy up --env prod": "needs an AWS account, and there is none",
    "python -m deploy up --endpoint-url http://127.0.0.1:4566": "tests/integration/test_deploy.py does so, on a free port",
    "docker compose up --wait": "needs Docker; `make lint` checks the file, where there is Docker",
    "docker compose run --rm demo": "needs Docker; runs `make demo`, which has its own test",
}
"""Commands that are shown and not run."""

CHECKED_OTHERWISE = {
    "make": "the target exists in the Makefile; what the targets run is tested by the tests that they run",
    "pip install": "the extras exist in pyproject.toml; installing is tested by test_packaging.py",
    ". .venv/bin/activate": "it is the environment that the Makefile makes; the test runs inside one",
}
"""Beginnings of commands that are held against the project's files."""
