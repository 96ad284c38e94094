"""The wrapper that refuses arguments that do not fit, before anything runs."""

from dataclasses import replace

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.errors import ToolArgumentsInvalid
from powerloop.kernel.tools import Tool
from powerloop.kernel.waits import ToolWait
from powerloop.tools.arguments import Bound
from powerloop.tools.function import FunctionTool
from powerloop.tools.invocation import Invocation, Step
from powerloop.tools.malformed import explain_malformed
from powerloop.tools.schema_arguments import SchemaArguments


class Validated:
    """Checks arguments: a function tool's by its own types, any other tool's by the schema of its spec."""

    def __init__(self) -> None:
        # One for each tool that is not a function, by its identity; made again when it shows another schema.
        self._checks: dict[int, tuple[Tool, object, SchemaArguments]] = {}

    async def __call__(self, invocation: Invocation, then: Step) -> ToolOutcome | ToolWait:
        if invocation.malformed:
            raise ToolArgumentsInvalid(explain_malformed(invocation.malformed))
        return await then(replace(invocation, bound=self.bind(invocation)))

    def bind(self, invocation: Invocation) -> Bound:
        """The arguments as the tool takes them.

        Raises:
            ToolArgumentsInvalid: they do not fit.
            InvalidInput: the schema of the tool is not valid.
        """
        if isinstance(invocation.tool, FunctionTool):
            return invocation.tool.check(invocation.arguments)
        return self._arguments(invocation).check(invocation.arguments)

    def _arguments(self, invocation: Invocation) -> SchemaArguments:
        tool, spec = invocation.tool, invocation.spec
        _, schema, arguments = self._checks.get(id(tool), (None, None, None))
        if arguments is None or schema is not spec.parameters:
            arguments = SchemaArguments(spec.parameters, spec.name)
            self._checks[id(tool)] = (tool, spec.parameters, arguments)
        return arguments
