"""What is wrong with a call of `spawn_agent`, and its schema cannot tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from powerloop.kernel.tools import ToolContext
from powerloop.mending.schema import Path
from powerloop.mending.words import Problem, did_you_mean, given, listed
from powerloop.tools.agent_spec import MODEL_NOTE, names_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What may be started."""

    #: The names of the agents that may be named.
    agents: tuple[str, ...]
    #: The names of their tools, of those whose tools are known here.
    tools: Mapping[str, tuple[str, ...]]
    #: Whether an agent may be described.
    inline: bool


def misfits(asked: Mapping[str, Any], offer: Offer, context: ToolContext[Any]) -> list[Problem]:
    """Every problem; where a value is of the wrong type, the schema tells that and nothing is said here."""
    problems = list(_who(asked, offer))
    agent = asked.get("agent")
    if isinstance(agent, str) and agent in offer.tools:
        problems += _strangers(asked.get("tools"), offer.tools[agent], ("tools",), whose=agent)
    if offer.inline and isinstance(spec := asked.get("spec"), Mapping):
        problems += _spec_problems(spec, offer, context)
    return problems


def _who(asked: Mapping[str, Any], offer: Offer) -> Iterator[Problem]:
    """Whether exactly one agent is named or described, where both are possible."""
    if not (offer.agents and offer.inline):
        return
    if "spec" not in asked:
        if "agent" not in asked:
            yield Problem(
                ("agent",), f"is missing: name one of {listed(offer.agents)}, or describe one in spec"
            )
        return
    if "agent" in asked:
        yield Problem(("spec",), "is one too many: name an agent, or describe one, not both")
    elif "tools" in asked:
        yield Problem(("tools",), "goes with agent: of an agent that you describe, they are in spec.tools")


def _spec_problems(spec: Mapping[str, Any], offer: Offer, context: ToolContext[Any]) -> Iterator[Problem]:
    name, model = spec.get("name"), spec.get("model")
    if isinstance(name, str) and name in (context.agent, *offer.agents):
        yield Problem(("spec", "name"), f"is the name of another agent, {given(name)}: choose a new one")
    if isinstance(model, str) and not names_model(model):
        yield Problem(("spec", "model"), f"is wrong: {MODEL_NOTE}, not {given(model)}")
    yield from _strangers(spec.get("tools"), context.tools, ("spec", "tools"), whose="yours")


def _strangers(tools: object, known: Sequence[str], path: Path, *, whose: str) -> Iterator[Problem]:
    """The tools that are none of those known."""
    for index, tool in enumerate(tools if isinstance(tools, list | tuple) else ()):
        if isinstance(tool, str) and tool not in known:
            nearest = did_you_mean(tool, known)
            there_are = f"the tools are: {listed(known)}" if known else "there are none"
            yield Problem((*path, index), f"is no tool of {whose}, {given(tool)}; {nearest or there_are}")
