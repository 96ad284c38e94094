"""Loading what ``POWERLOOP_APP`` names: agents, and scripts for the scripted model."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import ModuleType

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.errors import AppBroken, InvalidInput
from powerloop.llm import PriceTable, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What the modules of an application define."""

    agents: AgentRegistry
    #: What ``scripted:NAME`` plays, by the name of the global that holds it.
    scripts: Mapping[str, Script]
    #: Prices of their own; `None`: they define none.
    prices: PriceTable | None = None


def load_app(app: str) -> App:
    """What the modules define: every `Agent`, `Script` and `PriceTable` that one holds under a public name.

    Of several tables of prices the first is asked first.

    Args:
        app: Module names, separated by commas: ``myapp.agents,myapp.more``. The current directory is searched
        too.

    Raises:
        AppBroken: no module is named, a module cannot be imported, or it holds no agent.
    """
    names = [name.strip() for name in app.split(",") if name.strip()]
    if not names:
        raise AppBroken(
            "no module with agents is named.",
            hint="Set POWERLOOP_APP=myapp.agents, or pass --app myapp.agents.",
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    public = [item for name in names for item in _public(name)]
    scripts = {name: value for name, value in public if isinstance(value, Script)}
    try:
        agents = AgentRegistry(value for _, value in public if isinstance(value, Agent))
    except InvalidInput as error:
        raise AppBroken(f"{app}: {error}") from error
    tables = [value for _, value in public if isinstance(value, PriceTable)]
    return App(agents=agents, scripts=scripts, prices=reduce(PriceTable.before, tables) if tables else None)


def _public(name: str) -> list[tuple[str, object]]:
    module = _import(name)
    public = [(key, value) for key, value in vars(module).items() if not key.startswith("_")]
    if not any(isinstance(value, Agent) for _, value in public):
        raise AppBroken(
            f"module {name!r} defines no agent.",
            hint="Give it a global: support = Agent(name='support', model=…).",
        )
    return public


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only when the named module itself is missing; a missing import inside it is the module's own
        # trouble.
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise AppBroken(
                f"there is no module {name!r}.", hint=f"Is the name right? Searched from {Path.cwd()}."
            ) from error
        raise AppBroken(f"module {name!r} cannot be imported: {error}.") from error
    except Exception as error:
        raise AppBroken(f"module {name!r} cannot be imported: {type(error).__name__}: {error}.") from error
