"""Reading a function: its name, its words and the parameters that a model is to fill."""

import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any

import docstring_parser

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import ToolContext

_OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument that the model gives."""

    name: str
    annotation: Any
    #: `inspect.Parameter.empty` where there is none.
    default: Any
    #: From the docstring; may be empty.
    description: str
    positional_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function says of itself."""

    #: Empty where the function has no name of its own: a lambda, a callable object.
    name: str
    #: The summary and the body of its docstring, without its sections.
    description: str
    #: Whether its first parameter is a `ToolContext`.
    takes_context: bool
    parameters: tuple[Parameter, ...]
    #: Whether calling it may block, so that it needs a thread.
    blocking: bool


def read_signature(function: Callable[..., Any]) -> Signature:
    """What `function` says of itself by its signature, annotations and docstring.

    Arguments that a `functools.partial` has fixed are not parameters: a model must not change them.

    Raises:
        InvalidInput: it is not a function that a model can call; the message says what to change.
    """
    label = label_of(function)
    refuse_uncallable(function, label)
    plain = _plain(function)
    parameters = parameters_of(function, label)
    annotations = annotations_of(function, parameters, label)
    takes_context = bool(parameters) and is_context(annotations[parameters[0].name])
    words = docstring_parser.parse(inspect.getdoc(plain) or "")
    described = {name.strip(): item.description for item in words.params for name in item.arg_name.split(",")}
    return Signature(
        name=getattr(plain, "__name__", "").replace("<lambda>", ""),
        description="\n\n".join(text for text in (words.short_description, words.long_description) if text),
        takes_context=takes_context,
        parameters=tuple(
            Parameter(
                name=parameter.name,
                annotation=_no_context(annotations[parameter.name], parameter.name, label),
                default=parameter.default,
                description=described.get(parameter.name) or "",
                positional_only=parameter.kind is inspect.Parameter.POSITIONAL_ONLY,
            )
            for parameter in parameters[int(takes_context) :]
        ),
        blocking=is_blocking(function),
    )


def is_blocking(function: object) -> bool:
    """Whether calling it may block: whatever is not a coroutine function."""
    return not any(map(inspect.iscoroutinefunction, _bodies(function)))


def label_of(function: object) -> str:
    """How to name the function in a message to its author."""
    plain = _plain(function)
    return str(getattr(plain, "__qualname__", type(plain).__qualname__))


def refuse_uncallable(function: object, label: str) -> None:
    """Refuse what cannot be called, and what is called without an answer.

    Raises:
        InvalidInput: it is a class, a generator function, or cannot be called.
    """
    if isinstance(function, classmethod):
        problem, hint = "is a classmethod that is not bound", "Decorate the bound one: tool(Class.method)."
    elif not callable(function):
        problem, hint = f"is {function!r:.80}, not a function", "Write @tool, or @tool(name=…, effect=…)."
    elif isinstance(function, type):
        problem, hint = "is a class", "Decorate a function, or an instance that has __call__."
    elif any(
        inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body) for body in _bodies(function)
    ):
        problem, hint = "yields", "Return one value: the result of a tool is one text."
    else:
        return
    raise InvalidInput(f"tool {label}: it {problem}.", hint=hint)


def parameters_of(function: Callable[..., Any], label: str) -> tuple[inspect.Parameter, ...]:
    """What the caller is to fill: each parameter that no partial has fixed.

    Raises:
        InvalidInput: it does not tell, or takes any number of them.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"tool {label}: it does not tell its parameters.", hint="Wrap it in a function that does."
        ) from error
    for parameter in parameters:
        if parameter.kind in _OPEN_ENDED:
            raise InvalidInput(
                f"tool {label}: a model cannot fill {parameter}.",
                hint="Name each parameter; a decorator around the function needs functools.wraps.",
            )
    fixed = set(_fixed(function))
    return tuple(parameter for parameter in parameters if parameter.name not in fixed)


def annotations_of(function: object, parameters: Sequence[inspect.Parameter], label: str) -> dict[str, Any]:
    """Each parameter's annotation. What `from __future__ import annotations` has made text is looked up.

    Raises:
        InvalidInput: there is none, or it cannot be looked up.
    """
    plain = _plain(function)
    for parameter in parameters:
        if parameter.annotation is inspect.Parameter.empty:
            raise _unannotated(parameter.name, label)
    written = {parameter.name: parameter.annotation for parameter in parameters}
    home = plain if inspect.isroutine(plain) else type(plain).__call__
    try:
        return typing.get_type_hints(
            SimpleNamespace(__annotations__=written), getattr(home, "__globals__", {}), include_extras=True
        )
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise InvalidInput(
            f"tool {label}: an annotation cannot be resolved: {error}.",
            hint="What it names must be defined or imported at run time, at the top level, above the tool.",
        ) from error


def is_context(annotation: object) -> bool:
    """Whether it is a `ToolContext`, of whatever dependencies."""
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    return (typing.get_origin(annotation) or annotation) is ToolContext


def _bodies(function: object) -> tuple[object, object]:
    """Where the code may be: in the function, or in the `__call__` of an object."""
    return function, type(function).__call__ if callable(function) else None


def _plain(function: Any) -> Any:  # noqa: ANN401 - whatever an author may decorate
    """The function under partials and decorators: the one that was written."""
    while True:
        inner = function.func if isinstance(function, functools.partial) else inspect.unwrap(function)
        if inner is function:
            return function
        function = inner


def _fixed(function: object) -> Iterator[str]:
    """The names of the keyword arguments that partials have fixed."""
    while isinstance(function, functools.partial):
        yield from function.keywords
        function = function.func


def _unannotated(name: str, label: str) -> InvalidInput:
    if name in ("self", "cls"):
        hint = "To make a tool of a method, decorate the bound one: tool(instance.method)."
    else:
        hint = f"Say what it is, for example {name}: str. Only the call's context is a {name}: ToolContext."
    return InvalidInput(f"tool {label}: the parameter {name!r} has no annotation.", hint=hint)


def _no_context(annotation: object, name: str, label: str) -> object:
    if is_context(annotation) or any(map(is_context, typing.get_args(annotation))):
        raise InvalidInput(
            f"tool {label}: the parameter {name!r} is a ToolContext out of place.",
            hint="The context is the first parameter, annotated ToolContext or ToolContext[…], not a union.",
        )
    return annotation
