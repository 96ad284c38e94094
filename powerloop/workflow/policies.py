"""What nodes of a workflow are made of: names and spans, bounds, repetition, joins, agents, budgets."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

#: Nothing of a workflow waits, or is waited for, longer.
MAX_SPAN_S: Final = timedelta(days=365).total_seconds()
MAX_ATTEMPTS: Final = 10
MAX_ITERATIONS: Final = 100
MAX_FAN_OUT: Final = 4_096
MAX_CONCURRENCY: Final = 1_000

NAME: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"

Name: TypeAlias = Annotated[str, Field(pattern=NAME)]
Span: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=MAX_SPAN_S)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1)]
Concurrency: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=MAX_CONCURRENCY)]
Template: TypeAlias = Annotated[str, Field(description="A text; {{reference}} puts a value in.")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


#: Whether an agent runs beside others, or in an operating-system process of its own.
Isolation: TypeAlias = Literal["none", "process"]


class Retry(Strict):
    """Try again where the node fails."""

    attempts: Annotated[int, Field(strict=True, ge=2, le=MAX_ATTEMPTS, description="In all.")] = 3
    backoff_s: Annotated[float, Field(strict=True, ge=0, le=3600, description="Before the second.")] = 1.0
    factor: Annotated[float, Field(strict=True, ge=1, le=10, description="Longer each time by.")] = 2.0
    on: Annotated[
        list[str] | None,
        Field(min_length=1, description="Codes of errors, such as timeout; all if left out."),
    ] = None


class Quorum(Strict):
    """Enough of them have succeeded."""

    quorum: Count


class BestEffort(Strict):
    """What has succeeded by then."""

    best_effort_s: Span


def _how(value: object) -> str:
    """Which kind of join it is, so that only that one says what is wrong with it."""
    if isinstance(value, Quorum) or (isinstance(value, Mapping) and "quorum" in value):
        return "quorum"
    return "best_effort" if isinstance(value, BestEffort | Mapping) else "word"


Join: TypeAlias = Annotated[
    Annotated[Literal["all", "any"], Tag("word")]
    | Annotated[Quorum, Tag("quorum")]
    | Annotated[BestEffort, Tag("best_effort")],
    Discriminator(_how),
]


class InlineAgent(Strict):
    """An agent, told by how it differs from one that workers know."""

    base: Annotated[str, Field(min_length=1, description="The agent that it differs from.")]
    name: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    model: Annotated[str | None, Field(pattern=r"^[^:]+:.+$", description="As provider:model.")] = None
    instructions: Template | None = None
    tools: Annotated[list[str] | None, Field(description="Some of the base's.")] = None
    max_rounds: Count | None = None


class RunBudget(Strict):
    """What a run may use in all."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    cost: Annotated[float | None, Field(gt=0, description="US dollars.")] = None
