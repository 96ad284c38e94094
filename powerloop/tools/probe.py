"""Probes: how an author says what the outside world knows of a call whose process died."""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from powerloop.kernel.calls import Effect, Finding
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import ToolContext, ToolSpec
from powerloop.tools.arguments import Bound, by_name
from powerloop.tools.handler import handler_takes_context
from powerloop.tools.routine import Routine
from powerloop.tools.signature import (
    Parameter,
    annotations_of,
    is_blocking,
    is_context,
    label_of,
    parameters_of,
    refuse_uncallable,
)
from powerloop.tools.threads import ToolThreads


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A function that looks for the effect of one call."""

    routine: Routine[Finding]
    #: Takes the probe's arguments out of the tool's.
    select: Callable[[Bound], Bound]

    async def ask(
        self,
        context: ToolContext[Any],
        bound: Bound,
        threads: ToolThreads,
        *,
        begun: Callable[[], None],
        log_fields: Mapping[str, Any],
    ) -> Finding:
        """What became of the call that had these arguments. What the function raises is raised."""
        return await self.routine.run(
            context, self.select(bound), threads, begun=begun, log_fields=log_fields
        )


def make_probe(function: Callable[..., Any], spec: ToolSpec, parameters: Sequence[Parameter] | None) -> Probe:
    """The probe of a tool.

    Args:
        function: What to ask.
        spec: Of the tool.
        parameters: Those of the tool's function; `None`: it takes its arguments as one dict.

    Raises:
        InvalidInput: the tool's effect is not `Effect.ONCE`, or the function takes what is no argument of it.
    """
    _refuse_needless(spec)
    label = f"{spec.name}, probe {label_of(function)}"
    refuse_uncallable(function, label)
    if parameters is None:
        return Probe(routine=_routine(function, handler_takes_context(function, label)), select=_whole)
    taken = parameters_of(function, label)
    annotated = [item for item in taken if item.annotation is not inspect.Parameter.empty]
    annotations = annotations_of(function, annotated, label)
    takes_context = bool(taken) and is_context(annotations.get(taken[0].name))
    asked = taken[int(takes_context) :]
    _refuse_strangers(asked, annotations, parameters, label)
    return Probe(routine=_routine(function, takes_context), select=_selection(asked, parameters))


def _routine(function: Callable[..., Any], takes_context: bool) -> Routine[Finding]:
    return Routine(
        function=function,
        takes_context=takes_context,
        blocking=is_blocking(function),
        conclude=_as_finding,
    )


def _refuse_needless(spec: ToolSpec) -> None:
    if spec.effect is not Effect.ONCE:
        raise InvalidInput(
            f"tool {spec.name}: nobody would ask its probe. Its effect is {spec.effect.value!r}: a call that "
            "a crash cut off is simply run again.",
            hint='Leave the probe out, or declare the tool effect="once".',
        )


def _refuse_strangers(
    asked: Sequence[inspect.Parameter],
    annotations: Mapping[str, Any],
    parameters: Sequence[Parameter],
    label: str,
) -> None:
    known = {parameter.name: _bare(parameter.annotation) for parameter in parameters}
    for parameter in asked:
        if parameter.name not in known:
            raise InvalidInput(
                f"tool {label}: {parameter.name!r} is not a parameter of the tool.",
                hint=f"A probe takes any of the tool's parameters ({', '.join(known) or 'it has none'}), and "
                "before them a context: ToolContext, if it needs one.",
            )
        if parameter.name in annotations and _bare(annotations[parameter.name]) != known[parameter.name]:
            raise InvalidInput(
                f"tool {label}: the parameter {parameter.name!r} has another type than the tool's.",
                hint="A probe gets the arguments that the tool was given: annotate them alike.",
            )


def _bare(annotation: object) -> object:
    """The type without what `Annotated` says of it."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is Annotated else annotation


def _whole(bound: Bound) -> Bound:
    return bound


def _selection(
    asked: Sequence[inspect.Parameter], parameters: Sequence[Parameter]
) -> Callable[[Bound], Bound]:
    first = [item.name for item in asked if item.kind is inspect.Parameter.POSITIONAL_ONLY]
    rest = [item.name for item in asked if item.kind is not inspect.Parameter.POSITIONAL_ONLY]

    def select(bound: Bound) -> Bound:
        values = by_name(bound, parameters)
        return Bound(args=tuple(values[name] for name in first), kwargs={name: values[name] for name in rest})

    return select


def _as_finding(value: object) -> Finding:
    if isinstance(value, Finding):
        return value
    raise TypeError(
        f"a probe returns Finding.done(…), Finding.not_done() or Finding.unknown(), not {value!r:.80}"
    )
