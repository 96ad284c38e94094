"""Workflows: trees of agents, tools, people and waits, written by people or by models."""

from powerloop.workflow.check_tool import check_workflow
from powerloop.workflow.create_tool import create_workflow, workflow_status
from powerloop.workflow.dry_run import dry_run
from powerloop.workflow.guide import AUTHORING_GUIDE
from powerloop.workflow.schema import workflow_schema
from powerloop.workflow.spec import WorkflowSpec

__all__ = [
    "AUTHORING_GUIDE",
    "WorkflowSpec",
    "check_workflow",
    "create_workflow",
    "dry_run",
    "workflow_schema",
    "workflow_status",
]
