"""The wrapper that refuses arguments that do not fit, before anything runs."""

from dataclasses import replace

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.errors import ToolArgumentsInvalid
from powerloop.tools.arguments import Bound
from powerloop.tools.function import FunctionTool
from powerloop.tools.invocation import Invocation, Step
from powerloop.tools.malformed import explain_malformed
from powerloop.tools.schema_arguments import SchemaArguments


class Validated:
    """Checks arguments: a function tool's by its own types, any other tool's by the schema of its spec."""

    def __init__(self) -> None:
        # One for each tool of each agent; made again when the tool shows another schema.
        self._checks: dict[tuple[str, str], tuple[object, SchemaArguments]] = {}

    async def __call__(self, invocation: Invocation, then: Step) -> ToolOutcome:
        if invocation.malformed:
            raise ToolArgumentsInvalid(explain_malformed(invocation.malformed))
        return await then(replace(invocation, bound=self._bind(invocation)))

    def _bind(self, invocation: Invocation) -> Bound:
        if isinstance(invocation.tool, FunctionTool):
            return invocation.tool.check(invocation.arguments)
        return self._arguments(invocation).check(invocation.arguments)

    def _arguments(self, invocation: Invocation) -> SchemaArguments:
        spec, key = invocation.spec, (invocation.context.agent, invocation.spec.name)
        schema, arguments = self._checks.get(key, (None, None))
        if arguments is None or schema is not spec.parameters:
            arguments = SchemaArguments(spec.parameters, spec.name)
            self._checks[key] = (spec.parameters, arguments)
        return arguments
