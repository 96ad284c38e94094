import ssl
import subprocess
import sys
from datetime import timedelta

import pytest
from celery import Celery, current_app
from celery.app.defaults import SETTING_KEYS
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

from powerloop.kernel.errors import SettingsInvalid
from powerloop.queue import create_app
from powerloop.queue.transport import GuardedTransport

REDIS = "redis://:secret@localhost:6380/2"
RABBITMQ = "amqp://guest:guest@localhost:5672//"


def transport_of(app):
    return app.connection_for_read().get_transport_cls()


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_every_setting_is_one_that_celery_knows(url):
    changes = dict(create_app(url).conf.changes)
    assert "task_acks_late" in changes
    assert not changes.pop("deprecated_settings", None)
    assert set(changes) - SETTING_KEYS == set()


def test_the_app_is_nobodys_current_app():
    app = create_app(REDIS)
    assert current_app._get_current_object() is not app


def test_redis_is_guarded_here_and_nowhere_else_in_the_process():
    app = create_app(REDIS)
    assert transport_of(app) is GuardedTransport
    assert app.connection_for_read().clone().get_transport_cls() is GuardedTransport
    assert transport_of(Celery(broker=REDIS, set_as_current=False)) is kombu_redis.Transport
    assert TRANSPORT_ALIASES["redis"] == "kombu.transport.redis:Transport"


def test_other_brokers_keep_their_transport():
    assert transport_of(create_app(RABBITMQ)) is transport_of(Celery(broker=RABBITMQ, set_as_current=False))


def test_the_brokers_address_stays_readable_for_monitors():
    assert create_app(REDIS).connection_for_read().as_uri() == "redis://:**@localhost:6380/2"


def test_a_broker_that_is_away_is_asked_every_two_seconds_however_long_it_stays_away(monkeypatch):
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: None)
    pauses = []
    connection = create_app("redis://127.0.0.1:1/0").connection_for_read()
    with pytest.raises(OperationalError):
        connection.ensure_connection(lambda error, pause: pauses.append(pause), max_retries=6)
    assert pauses == [2] * 6


def test_what_needs_a_broker_is_tried_once_unless_it_is_said_how_often():
    tries = []

    def publish():
        tries.append(len(tries))
        raise ConnectionError

    connection = create_app("redis://127.0.0.1:1/0").connection_for_read()
    with pytest.raises(OperationalError):
        connection.ensure(None, publish)()
    assert len(tries) == 1


def test_tls_is_verified_unless_the_address_says_otherwise():
    verified = create_app("rediss://localhost/0").connection_for_read()
    assert verified.ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    trusting = create_app("rediss://localhost/0?ssl_cert_reqs=none").connection_for_read()
    assert trusting.ssl == {"ssl_cert_reqs": ssl.CERT_NONE}


def test_workers_consume_our_queues_and_the_one_of_plain_clients():
    assert set(create_app(REDIS).amqp.queues.consume_from) == {
        "powerloop.send",
        "powerloop.subagent",
        "powerloop.leaf",
        "powerloop.workflow",
        "powerloop.timer",
        "powerloop.enqueue",
        "celery",
    }
    assert set(create_app(REDIS, client_queue=False).amqp.queues.consume_from) == {
        "powerloop.send",
        "powerloop.subagent",
        "powerloop.leaf",
        "powerloop.workflow",
        "powerloop.timer",
        "powerloop.enqueue",
    }


def test_workers_consume_the_queues_that_tools_have_of_their_own():
    app = create_app(REDIS, tool_queues=["browser"])
    assert "browser" in app.amqp.queues.consume_from
    assert app.amqp.queues["browser"].queue_arguments == {"x-max-priority": 9}


def test_a_misspelt_queue_is_refused():
    with pytest.raises(KeyError):
        create_app(REDIS).amqp.queues.select(["powerloop.sned"])


def test_our_tasks_go_to_the_queues_of_their_names():
    app = create_app(REDIS)
    for name in ("powerloop.send", "powerloop.subagent", "powerloop.enqueue"):
        assert app.amqp.router.route({}, name)["queue"].name == name


def test_a_plain_client_declares_its_queues_as_we_do():
    """RabbitMQ refuses a queue that is declared twice and differs."""
    ours, plain = create_app(RABBITMQ).amqp.queues, Celery(broker=RABBITMQ, set_as_current=False).amqp.queues
    for name in ("powerloop.enqueue", "celery"):
        assert ours[name].as_dict(recurse=True) == plain[name].as_dict(recurse=True)


def test_the_pool_is_told_its_drain_timeout():
    app = create_app(REDIS, drain_timeout=timedelta(seconds=12))
    assert app.conf["powerloop_drain_timeout"] == 12.0


def test_there_are_no_results():
    app = create_app(REDIS)
    assert type(app.backend).__name__ == "DisabledBackend"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "the address of the broker is missing"),
        ("localhost:6379", "begins with 'localhost'"),
        ("postgresql://localhost", "begins with 'postgresql'"),
        ("redis://localhost/zero", "ends with '/zero'"),
    ],
)
def test_an_address_of_no_broker_is_refused_in_words(url, words):
    with pytest.raises(SettingsInvalid) as raised:
        create_app(url)
    assert words in str(raised.value)


def test_celery_deprecates_nothing_of_it():
    program = f"from powerloop.queue import create_app; create_app({REDIS!r}).finalize()"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
