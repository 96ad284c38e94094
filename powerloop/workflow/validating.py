"""All that is wrong with a workflow, at once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from powerloop.kernel.errors import WorkflowInvalid
from powerloop.mending.words import Problem, given
from powerloop.workflow.checks import (
    KnownAgents,
    agent_problems,
    name_problems,
    schema_faults,
    size_problems,
)
from powerloop.workflow.outline import Models, Outliner
from powerloop.workflow.scope import scope_problems


def spec_problems(
    raw: Mapping[str, Any], models: Models, agents: KnownAgents | None = None
) -> Sequence[Problem]:
    """Every problem of the workflow, those of its shape first; none if it can be run.

    Args:
        raw: The workflow, as it was read.
        models: What it is held against.
        agents: The tools of each agent that may be run; `None`: any name will do.
    """
    outliner = Outliner(models)
    root = outliner.workflow(raw)
    problems = outliner.problems
    if root is not None:
        problems += name_problems(root)
        problems += scope_problems(root)
        problems += schema_faults(root)
        problems += size_problems(root)
        if agents is not None:
            problems += agent_problems(root, agents)
    return list(dict.fromkeys(problems))


def read_source(source: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that the source is.

    Raises:
        WorkflowInvalid: it is none.
    """
    raw: object = source
    if isinstance(source, str):
        try:
            raw = json.loads(source)
        except (ValueError, RecursionError) as error:
            raise WorkflowInvalid([f"the value: is no JSON: {error}"]) from None
    if not isinstance(raw, Mapping):
        raise WorkflowInvalid([f"the value: should be an object with a name and a root, not {given(raw)}"])
    return raw
