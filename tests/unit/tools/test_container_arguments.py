"""What `docker` and `bwrap` are told of a launch: arguments, and no secrets among them."""

from datetime import timedelta
from itertools import pairwise

import pytest

from powerloop.kernel.isolation import IsolationPolicy, Launch, ProcessLimits
from powerloop.tools.isolation import docker_argv
from powerloop.tools.isolation.bubblewrap import bwrap_options

SECRET = "sk-very-secret"

FULL = Launch(
    argv=("python", "-m", "leaf"),
    stdin=SECRET.encode(),
    policy=IsolationPolicy(
        limits=ProcessLimits(
            cpu=timedelta(seconds=1.5),
            memory_bytes=512 * 1024 * 1024,
            wall_clock=timedelta(minutes=1),
            processes=64,
        ),
        environment=("OPENAI_API_KEY",),
        read_only=("/srv/app",),
        writable=("/srv/app/out",),
    ),
    env={"TOKEN": SECRET},
)


def pairs(argv):
    return set(pairwise(argv))


def test_a_container_is_shut_off_unless_the_policy_opens_it():
    argv = docker_argv(Launch(argv=("true",)), "image")
    assert argv[0] == "run"
    assert {"--rm", "--interactive", "--init", "--read-only"} <= set(argv)
    assert {
        ("--network", "none"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--pull", "never"),
        ("--log-driver", "none"),
        ("--tmpfs", "/tmp"),
        ("--ulimit", "core=0"),
    } <= pairs(argv)
    assert not {"--mount", "--env", "--runtime", "--memory", "--pids-limit", "--privileged"} & set(argv)


def test_the_limits_of_a_launch_are_those_of_its_container():
    assert {
        ("--ulimit", "cpu=2:3"),
        ("--memory", "536870912b"),
        ("--memory-swap", "536870912b"),
        ("--pids-limit", "64"),
    } <= pairs(docker_argv(FULL, "image"))


def test_a_container_is_shown_the_paths_of_its_policy():
    mounts = [value for flag, value in pairs(docker_argv(FULL, "image")) if flag == "--mount"]
    assert sorted(mounts) == [
        "type=bind,src=/srv/app,dst=/srv/app,readonly",
        "type=bind,src=/srv/app/out,dst=/srv/app/out",
    ]


def test_a_comma_in_a_path_does_not_add_to_the_mount():
    policy = IsolationPolicy(read_only=('/srv/a,b"c',))
    (mount,) = (
        value
        for flag, value in pairs(docker_argv(Launch(argv=("true",), policy=policy), "image"))
        if flag == "--mount"
    )
    assert mount == 'type=bind,"src=/srv/a,b""c","dst=/srv/a,b""c",readonly'


def test_variables_are_named_and_their_values_are_in_no_argument():
    argv = docker_argv(FULL, "image")
    assert {("--env", "OPENAI_API_KEY"), ("--env", "TOKEN")} <= pairs(argv)
    assert SECRET not in " ".join(argv)


def test_the_program_comes_last_whatever_the_image_would_run():
    argv = docker_argv(FULL, "registry.example/app:1")
    assert argv[-6:] == ("--entrypoint", "python", "--", "registry.example/app:1", "-m", "leaf")


def test_gvisor_is_a_runtime():
    argv = docker_argv(FULL, "image", "runsc", name="leaf-1", user="1000:1000")
    assert {("--runtime", "runsc"), ("--name", "leaf-1"), ("--user", "1000:1000")} <= pairs(argv)


def test_the_network_is_open_where_the_policy_says_so():
    open_policy = IsolationPolicy(network=True)
    argv = docker_argv(Launch(argv=("true",), policy=open_policy), "image")
    assert ("--network", "bridge") in pairs(argv)
    assert "--share-net" in bwrap_options(open_policy, ())
    assert "--share-net" not in bwrap_options(IsolationPolicy(), ())


def test_bubblewrap_takes_everything_away_and_shows_what_the_policy_says_in_its_order():
    options = bwrap_options(FULL.policy, ("/usr",))
    assert {"--unshare-all", "--die-with-parent", "--new-session"} <= set(options)
    assert ("--cap-drop", "ALL") in pairs(options)
    text = " ".join(options)
    assert text.endswith(
        "--ro-bind-try /usr /usr --proc /proc --dev /dev --tmpfs /tmp"
        " --ro-bind /srv/app /srv/app --bind /srv/app/out /srv/app/out"
    )


@pytest.mark.parametrize("flag", ["--setenv", "--clearenv"])
def test_bubblewrap_is_told_of_no_variable(flag):
    assert flag not in bwrap_options(FULL.policy, ())
