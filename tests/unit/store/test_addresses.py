"""Addresses of databases, and the words in which they are told."""

import pytest

from powerloop.kernel.errors import SettingsInvalid
from powerloop.store.engine import parse_address


@pytest.mark.parametrize(
    ("url", "dialect", "where"),
    [
        ("postgresql://me:secret@db.example:6000/app", "postgresql", "db.example:6000/app"),
        ("postgres://me:secret@db.example/app", "postgresql", "db.example:5432/app"),
        ("postgresql+asyncpg://me@[::1]/app?sslmode=require", "postgresql", "::1:5432/app"),
        ("postgresql:///app?host=/run/postgresql", "postgresql", "/run/postgresql:5432/app"),
        ("postgresql:///app", "postgresql", "localhost:5432/app"),
        ("sqlite:///store.db", "sqlite", "store.db"),
        ("sqlite:////var/lib/store.db", "sqlite", "/var/lib/store.db"),
        ("sqlite+aiosqlite:///store.db", "sqlite", "store.db"),
    ],
)
def test_an_address_tells_where_without_the_password(url, dialect, where):
    address = parse_address(url)
    assert (address.dialect, address.where) == (dialect, where)
    assert "secret" not in address.where


def test_a_dead_server_is_noticed_unless_the_url_says_otherwise():
    query = parse_address("postgresql://db/app?tcp_user_timeout=1&sslmode=require").url.query
    assert query["connect_timeout"] == "5"
    assert query["tcp_user_timeout"] == "1"
    assert query["sslmode"] == "require"


@pytest.mark.parametrize("url", ["postgresql://me:secret@host:port/x", "oracle://me:secret@db", "me:secret"])
def test_a_refusal_does_not_show_the_password(url):
    with pytest.raises(SettingsInvalid) as refused:
        parse_address(url)
    assert "secret" not in str(refused.value)
    assert "postgresql://" in refused.value.hint
