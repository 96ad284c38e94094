"""Launchers: programs in processes of their own, under a policy."""

from powerloop.tools.isolation.bubblewrap import BubblewrapLauncher, python_paths
from powerloop.tools.isolation.containers import ContainerLauncher, docker_argv
from powerloop.tools.isolation.direct import DirectLauncher

__all__ = [
    "BubblewrapLauncher",
    "ContainerLauncher",
    "DirectLauncher",
    "docker_argv",
    "python_paths",
]
