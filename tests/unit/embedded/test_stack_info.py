"""What is told about a running stack, and what is not."""

from pathlib import Path

import pytest

from powerloop.embedded import StackInfo


@pytest.fixture
def info() -> StackInfo:
    return StackInfo(
        home=Path("/project/.powerloop"),
        database_url="postgresql://powerloop:secret-1@127.0.0.1:5001/powerloop",
        redis_url="redis://:secret-2@127.0.0.1:5002/0",
        pid=7,
        servers={"postgres": 8, "redis": 9},
        ports={"postgres": 5001, "redis": 5002},
    )


def test_printing_it_shows_no_password(info: StackInfo):
    assert "secret" not in f"{info} {info!r}"
    assert "5001" in repr(info)


def test_it_says_how_a_process_of_powerloop_finds_it(info: StackInfo):
    assert info.environment() == {
        "POWERLOOP_DATABASE_URL": info.database_url,
        "POWERLOOP_REDIS_URL": info.redis_url,
    }
