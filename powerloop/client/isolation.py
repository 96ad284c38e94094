"""What leaves are run with that are to have a process of their own, as the settings say."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from powerloop.kernel.errors import SettingsInvalid
from powerloop.kernel.isolation import IsolationPolicy, ProcessLimits
from powerloop.kernel.ports.launcher import Launcher
from powerloop.kernel.ports.model import Models
from powerloop.llm.isolated import IsolatedModel, IsolatedModels
from powerloop.settings import Settings
from powerloop.tools.isolation import BubblewrapLauncher, ContainerLauncher, DirectLauncher, python_paths

#: Of what a worker has in its environment, a process of its own sees no more than these, and those named by
#: ``POWERLOOP_ISOLATION_ENVIRONMENT``.
PASSED_ON: Final = (
    *("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE"),
    *("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
)

_CHILD: Final = ("-m", "powerloop.client.isolated_child")
_HINT: Final = "It is one of: direct, bubblewrap, docker:IMAGE, gvisor:IMAGE."


def with_isolation(models: Models, settings: Settings) -> Models:
    """The models, and ``isolated:``, which are agents of the application in processes of their own.

    Raises:
        SettingsInvalid: there is no such launcher.
    """
    kind, _, image = settings.isolation.partition(":")
    in_container = kind in ("docker", "gvisor")
    python = "python" if in_container else sys.executable
    model = IsolatedModel(
        _launcher(kind, image, settings.isolation),
        (python, *_CHILD),
        _policy(settings, kind),
        env=_environment(settings),
    )
    return IsolatedModels(models, model)


def _launcher(kind: str, image: str, given: str) -> Launcher:
    match kind, bool(image):
        case "direct", False:
            return DirectLauncher()
        case "bubblewrap", False:
            return BubblewrapLauncher()
        case "docker", True:
            return ContainerLauncher(image)
        case "gvisor", True:
            return ContainerLauncher(image, runtime="runsc")
        case _:
            raise SettingsInvalid(f"POWERLOOP_ISOLATION is {given!r}, which is no launcher.", hint=_HINT)


def _policy(settings: Settings, kind: str) -> IsolationPolicy:
    more = tuple(name.strip() for name in settings.isolation_environment.split(",") if name.strip())
    return IsolationPolicy(
        limits=ProcessLimits(
            cpu=settings.isolation_cpu,
            memory_bytes=settings.isolation_memory_mb * 2**20,
            wall_clock=timedelta(hours=1),
        ),
        environment=(*PASSED_ON, *more),
        # It calls its model.
        network=True,
        # Without a file system of its own, nothing can be kept from it.
        read_only=() if kind == "direct" else (*python_paths(), str(Path.cwd())),
    )


def _environment(settings: Settings) -> Mapping[str, str]:
    return {"POWERLOOP_APP": settings.app, "PYTHONPATH": str(Path.cwd())}
