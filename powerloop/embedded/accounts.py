"""Who a server runs as: ourselves, or a powerless account where we are root and it refuses to be."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from powerloop.kernel.errors import EmbeddedUnavailable

_POWERLESS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def powerless_account(data: Path) -> Account | None:
    """The account to drop to, or `None` where we are not root and stay who we are.

    Args:
        data: The server's data; where it exists, its owner is the account.

    Raises:
        EmbeddedUnavailable: we are root, and no account of the machine will do.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(name=_name_of(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid)
    for name in _POWERLESS:
        if found := _find(name):
            return found
    raise EmbeddedUnavailable(
        f"Postgres refuses to run as root, and there is no account {' or '.join(_POWERLESS)} to run it as.",
        hint="Run as another user, or create one of them.",
    )


def require_reach(path: Path, account: Account) -> None:
    """Refuse a path that `account` cannot get to, in words that name the folder in the way.

    Raises:
        EmbeddedUnavailable: a folder above `path` is closed to the account.
    """
    for folder in reversed(path.absolute().parents):
        if not _may_enter(folder.stat(), account):
            raise EmbeddedUnavailable(
                f"Postgres refuses to run as root, so it runs as {account.name!r}, "
                f"and {account.name!r} may not enter {folder}, which it must to reach {path}.",
                hint=f"Let others pass (chmod o+x {folder}), choose another folder, or run as another user.",
            )


def _may_enter(folder: os.stat_result, account: Account) -> bool:
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
