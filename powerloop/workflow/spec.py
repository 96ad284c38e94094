"""Workflow specs: the nodes of the tree, as people and models write them. Unknown keys are refused."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import AwareDatetime, Discriminator, Field, JsonValue, Tag, model_validator

from powerloop.kernel.errors import WorkflowInvalid
from powerloop.mending.words import place
from powerloop.workflow.checks import KnownAgents
from powerloop.workflow.conditions import Condition, ReferenceText, Test
from powerloop.workflow.policies import (
    MAX_FAN_OUT,
    MAX_ITERATIONS,
    Concurrency,
    Count,
    InlineAgent,
    Isolation,
    Join,
    Name,
    Retry,
    RunBudget,
    Span,
    Strict,
    Template,
)
from powerloop.workflow.validating import read_source, spec_problems


class Fallback(Strict):
    """Run another node instead, whose result is taken."""

    fallback: "Node"


def _form(value: object) -> str:
    """Whether it is written as an object, so that only that form says what is wrong with it."""
    return "object" if isinstance(value, Mapping | Strict) else "word"


class _Node(Strict):
    """What every node may have."""

    #: Which keys hold other nodes: in a list, or alone.
    children: ClassVar[tuple[str, ...]] = ()

    id: Annotated[Name | None, Field(description="By which its result is referred to.")] = None
    when: Annotated[Condition | None, Field(description="It is skipped unless this holds.")] = None
    retry: Retry | None = None
    timeout_s: Annotated[Span | None, Field(description="It fails when this is over; retries included.")] = (
        None
    )
    on_error: Annotated[
        Annotated[Literal["halt", "continue"], Tag("word")] | Annotated[Fallback, Tag("object")],
        Discriminator(_form),
        Field(description="What its failure does: it fails the run, or nothing, or another node is run."),
    ] = "halt"


class AgentNode(_Node):
    """Run an agent."""

    type: Literal["agent"] = "agent"
    id: Name
    agent: Annotated[
        Annotated[str, Field(min_length=1), Tag("word")] | Annotated[InlineAgent, Tag("object")],
        Discriminator(_form),
        Field(description="The name of an agent, or a variation of one."),
    ]
    input: Template = "{{input}}"
    inputs_from: list[str] = Field(
        default_factory=list, description="Ids of nodes whose results follow the input."
    )
    output_schema: Annotated[
        dict[str, JsonValue] | None,
        Field(description="JSON Schema of its answer, whose parts can be referred to then."),
    ] = None
    isolation: Isolation | None = None


class SequenceNode(_Node):
    """Run the steps, one after the other. Its result is the last one's."""

    children = ("steps",)

    type: Literal["sequence"] = "sequence"
    steps: Annotated[list["Node"], Field(min_length=1)]


class ParallelNode(_Node):
    """Run the branches at the same time. Its result is an object of their results by id, or else a list."""

    children = ("branches",)

    type: Literal["parallel"] = "parallel"
    branches: Annotated[list["Node"], Field(min_length=1, max_length=MAX_FAN_OUT)]
    max_concurrency: Concurrency | None = None
    join: Join = "all"
    losers: Annotated[Literal["cancel", "finish"], Field(description="What becomes of the others.")] = (
        "cancel"
    )


class ForeachNode(_Node):
    """Run the body for each item. Its result is the list of results, in the order of the items, with null for
    those that have none."""

    children = ("body",)

    type: Literal["foreach"] = "foreach"
    items: Annotated[list[JsonValue] | None, Field(max_length=MAX_FAN_OUT)] = None
    items_from: Annotated[ReferenceText | None, Field(description="A reference to a list.")] = None
    as_: Annotated[Name, Field(alias="as", description="What the body calls the item.")]
    body: "Node"
    parallel: Annotated[bool, Field(strict=True)] = True
    max_concurrency: Concurrency | None = None
    join: Join = "all"
    losers: Literal["cancel", "finish"] = "cancel"

    @model_validator(mode="after")
    def _has_items(self) -> "ForeachNode":
        if (self.items is None) == (self.items_from is None):
            raise ValueError("should have either items or items_from")
        return self


class Case(Test):
    """What runs where the value passes the test."""

    then: "Node"


class BranchNode(_Node):
    """Run what the first test that passes says."""

    children = ("cases", "default")

    type: Literal["branch"] = "branch"
    on: ReferenceText
    cases: Annotated[list[Case], Field(min_length=1)]
    default: Annotated[
        "Node | None", Field(description="Where no test passes; left out, the node fails.")
    ] = None


class LoopNode(_Node):
    """Run the body until the condition holds. Its result is the body's last one."""

    children = ("body",)

    type: Literal["loop"] = "loop"
    body: "Node"
    until: Annotated[Condition, Field(description="Asked after each iteration; it may refer to the body.")]
    max_iterations: Annotated[int, Field(strict=True, ge=1, le=MAX_ITERATIONS)] = 3
    on_exhausted: Literal["fail", "continue"] = "fail"


class WaitNode(_Node):
    """Wait for a time, or for a signal, whose payload is its result."""

    type: Literal["wait"] = "wait"
    seconds: Span | None = None
    until: AwareDatetime | None = None
    signal: Name | None = None

    @model_validator(mode="after")
    def _waits_for_one_thing(self) -> "WaitNode":
        if sum(value is not None for value in (self.seconds, self.until, self.signal)) != 1:
            raise ValueError("should have exactly one of seconds, until and signal")
        return self


class HumanNode(_Node):
    """Ask a person. The answer is its result."""

    type: Literal["human"] = "human"
    id: Name
    prompt: Annotated[Template, Field(min_length=1)]
    answer_schema: Annotated[dict[str, JsonValue] | None, Field(description="Of the answer.")] = None
    choices: list[JsonValue] = Field(default_factory=list)
    default: Annotated[JsonValue, Field(description="The answer when the time of timeout_s is over.")] = None


class ToolNode(_Node):
    """Call a tool, without a model."""

    type: Literal["tool"] = "tool"
    id: Name
    agent: Annotated[str, Field(min_length=1, description="Whose tool.")]
    tool: Annotated[str, Field(min_length=1)]
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="Each text in it is a template."
    )


class SubflowNode(_Node):
    """Run another workflow. Its result is that one's."""

    type: Literal["subflow"] = "subflow"
    name: Annotated[str | None, Field(min_length=1, description="Of a stored workflow.")] = None
    version: Count | None = None
    spec: Annotated["WorkflowSpec | None", Field(description="A workflow of its own.")] = None
    input: Annotated[JsonValue, Field(description="Each text in it is a template.")] = "{{input}}"

    @model_validator(mode="after")
    def _names_one(self) -> "SubflowNode":
        if (self.name is None) == (self.spec is None):
            raise ValueError("should have either name or spec")
        if self.version is not None and self.name is None:
            raise ValueError("should not have a version without a name")
        return self


Node: TypeAlias = Annotated[
    AgentNode
    | SequenceNode
    | ParallelNode
    | ForeachNode
    | BranchNode
    | LoopNode
    | WaitNode
    | HumanNode
    | ToolNode
    | SubflowNode,
    Field(discriminator="type"),
]


class WorkflowSpec(Strict):
    """A workflow: a tree of nodes, and what it is given."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    root: Node
    input: Annotated[JsonValue, Field(description="Where a run is given none.")] = ""
    budget: RunBudget | None = None
    deadline_s: Annotated[Span | None, Field(description="The run fails when this is over.")] = None
    isolation: Annotated[Isolation, Field(description="Of its agents.")] = "none"
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @classmethod
    def parse(cls, source: str | Mapping[str, Any], *, agents: KnownAgents | None = None) -> Self:
        """The workflow that the JSON, or what it was read to, describes.

        Args:
            source: JSON text, or an object.
            agents: The tools of each agent that may be run; `None`: any name will do.

        Raises:
            WorkflowInvalid: it has problems; all of them are told at once, each with its place.
        """
        raw = read_source(source)
        problems = spec_problems(raw, _MODELS, agents)
        if problems:
            raise WorkflowInvalid(f"{place(problem.path)}: {problem.text}" for problem in problems)
        return cls.model_validate(raw)

    def to_json(self) -> dict[str, Any]:
        """What `parse` reads: the keys that were given."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


for _model in (Fallback, SequenceNode, ParallelNode, ForeachNode, Case, BranchNode, LoopNode, SubflowNode):
    _model.model_rebuild()
WorkflowSpec.model_rebuild()


class _Models:
    """The models of this file, by the names that specs give them."""

    workflow = WorkflowSpec
    nodes: Mapping[str, type[_Node]] = {
        model.model_fields["type"].default: model
        for model in (
            *(AgentNode, SequenceNode, ParallelNode, ForeachNode, BranchNode),
            *(LoopNode, WaitNode, HumanNode, ToolNode, SubflowNode),
        )
    }

    def slots(self, kind: str) -> tuple[str, ...]:
        return self.nodes[kind].children


_MODELS: Final = _Models()
