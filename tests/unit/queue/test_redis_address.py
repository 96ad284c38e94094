import pytest
import redis
from redis.exceptions import OutOfMemoryError

from powerloop.kernel.errors import SettingsInvalid
from powerloop.queue.redis_address import RedisAddress


@pytest.mark.parametrize(
    ("url", "host", "port", "database"),
    [
        ("redis://localhost", "localhost", 6379, 0),
        ("redis://:secret@10.0.0.1:6380/3", "10.0.0.1", 6380, 3),
        ("rediss://user:p%40ss@redis.example:6390/0?ssl_cert_reqs=none", "redis.example", 6390, 0),
        ("redis://[::1]:7000/2", "::1", 7000, 2),
    ],
)
def test_an_address_is_read_from_its_url(url, host, port, database):
    address = RedisAddress.parse(url)
    assert (address.host, address.port, address.database) == (host, port, database)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is missing"),
        ("localhost:6379", "begins with 'localhost'"),
        ("amqp://localhost", "begins with 'amqp'"),
        ("redis://", "names no host"),
        ("redis://:secret@:6379/0", "names no host"),
        ("redis://localhost:port/0", "cannot be read"),
        ("redis://localhost:70000", "cannot be read"),
        ("redis://:se/cret#@localhost:6379/0", "cannot be read"),
        ("redis://localhost/zero", "ends with '/zero'"),
    ],
)
def test_a_url_that_is_none_is_refused_in_words(url, words):
    with pytest.raises(SettingsInvalid, match="the address of Redis") as raised:
        RedisAddress.parse(url)
    assert words in str(raised.value)
    assert raised.value.hint


def test_a_password_is_never_shown():
    address = RedisAddress.parse("redis://:secret@localhost:6380/0")
    assert "secret" not in f"{address} {address!r} {address.unavailable(redis.ConnectionError('refused'))}"
    assert str(address) == "localhost:6380"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (redis.ConnectionError("refused"), "Is it running"),
        (redis.AuthenticationError("invalid username-password pair"), "Is the password"),
        (OutOfMemoryError("command not allowed"), "maxmemory"),
    ],
)
def test_an_outage_says_where_what_and_what_to_do(error, hint):
    unavailable = RedisAddress.parse("redis://localhost").unavailable(error)
    assert f"Redis at localhost:6379 does not answer: {error}." in str(unavailable)
    assert hint in unavailable.hint
