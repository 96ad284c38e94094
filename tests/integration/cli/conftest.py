"""The command line in processes of its own, and a system for it to reach."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def powerloop(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a folder of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("POWERLOOP_", "OPENAI_"))
        }
        return subprocess.run(
            [sys.executable, "-m", "powerloop", *arguments],
            env={**clean, "COLUMNS": "200", **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def system(migrated_postgres_url: str, redis_url: str) -> dict[str, str]:
    """The environment of a system that is well, and runs no worker."""
    return {"POWERLOOP_DATABASE_URL": migrated_postgres_url, "POWERLOOP_REDIS_URL": redis_url}
