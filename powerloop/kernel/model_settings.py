"""How a model is to answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """How a model is to answer. What is `None` is left to the provider."""

    temperature: float | None = None
    #: The most tokens of one answer. Anthropic needs a number: 8192 where this is `None`.
    max_output_tokens: int | None = None
    #: Tokens the model may spend on reasoning (Anthropic ``thinking``); `None`: no reasoning is asked for.
    reasoning_tokens: int | None = None
    #: Passed to the provider as it stands, in the body of the request.
    extra: Mapping[str, Any] = field(default_factory=dict)
