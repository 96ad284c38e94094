"""A Postgres data folder on the disk: make it, read its version and its pid file."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from powerloop.embedded.accounts import Account
from powerloop.embedded.binaries import PostgresBinaries
from powerloop.kernel.errors import EmbeddedBusy, EmbeddedUnavailable

_MADE_WITHIN_S: Final = 120.0
_BUILTIN_LOCALES_SINCE: Final = 17

#: What Postgres's programs see: nothing of PGDATA, PGPORT and their kin, and messages in English.
ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCluster:
    """What a data folder is made with."""

    #: Where; it must not exist, and appears only when it is whole.
    data: Path
    #: Whose `initdb`.
    binaries: PostgresBinaries
    #: Who is to own it; `None`: ourselves.
    account: Account | None
    #: The superuser's name. Its password is read from the file `password` beside `data`.
    user: str
    #: The name of its one database, a plain word.
    database: str
    #: Whether it is safely on the disk before it is used.
    durable: bool
    #: An open file that the programs inherit: its lock outlives us until they have ended.
    lock: int


def create_cluster(new: NewCluster) -> None:
    """Make a data folder with a superuser and one database. The file with the password becomes the account's.

    Raises:
        EmbeddedUnavailable: it cannot be made.
    """
    draft, password_file = new.data.with_name("data.draft"), new.data.with_name("password")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if new.account:
        os.chown(draft, new.account.uid, new.account.gid)
        os.chown(password_file, new.account.uid, new.account.gid)
    initdb = [str(new.binaries.initdb), "-D", str(draft), "-U", new.user, f"--pwfile={password_file}"]
    _run([*initdb, *_options(new.binaries), *(() if new.durable else ("--no-sync",))], new)
    single = [str(new.binaries.postgres), "--single", "-D", str(draft), *(() if new.durable else ("-F",))]
    _run([*single, "postgres"], new, stdin=f"CREATE DATABASE {new.database}\n")
    draft.rename(new.data)


def version_of(data: Path) -> int | None:
    """The major version that wrote `data`; `None` where there are none."""
    file = data / "PG_VERSION"
    return int(file.read_text()) if file.exists() else None


def is_ready(data: Path, pid: int) -> bool:
    """Whether the postmaster `pid` says, in its pid file, that it takes connections."""
    lines = _pid_file(data)
    # Line 1 is the postmaster's pid, line 8 its state.
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def clear_stale_pid(data: Path) -> None:
    """Remove the pid file that a killed Postgres left, for whoever holds the data's lock.

    The process that it names is dead then, or not of our making. A pid that was given to another process
    since would make Postgres refuse to start.

    Raises:
        EmbeddedBusy: a Postgres that was started by hand uses the data.
    """
    lines = _pid_file(data)
    if not lines:
        return
    with contextlib.suppress(OSError):
        if Path(f"/proc/{int(lines[0])}/cwd").readlink() == data.resolve():
            raise EmbeddedBusy(f"Postgres process {lines[0]} already uses {data}.", hint="Stop it first.")
    (data / "postmaster.pid").unlink(missing_ok=True)


def _options(binaries: PostgresBinaries) -> list[str]:
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    if binaries.version >= _BUILTIN_LOCALES_SINCE:
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return options


def _run(argv: list[str], new: NewCluster, stdin: str = "") -> None:
    program, account = Path(argv[0]).name, new.account
    try:
        done = subprocess.run(  # noqa: S603 - our own command, and no shell reads it
            argv,
            input=stdin,
            env=ENVIRONMENT,
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            pass_fds=(new.lock,),
            capture_output=True,
            text=True,
            check=False,
            timeout=_MADE_WITHIN_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedUnavailable(f"{program} cannot be run: {error}.") from error
    if done.returncode:
        raise EmbeddedUnavailable(f"{program} failed:\n{(done.stderr or done.stdout).strip()}")


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
