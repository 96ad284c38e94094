"""The shape of the house: sizes, names, and where the words of each room may stand."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("powerloop", "workers", "beat")
MAX_FILE_LINES = 300
MAX_BODY_LINES = 40
FORBIDDEN_STEMS = {"utils", "util", "common", "helpers", "helper", "base", "misc", "manager"}

#: One file by rule: the tree of errors is read as a whole.
LONGER_FILES = {"powerloop/kernel/errors.py": 600}

TOP_LEVEL = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "beat",
    "deploy",
    "docker-compose.yml",
    "docs",
    "examples",
    "powerloop",
    "pyproject.toml",
    "tests",
    "workers",
}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_is_longer_than_its_ceiling():
    long = {
        named(path): lines
        for path in [*sources(), *sorted((ROOT / "tests").rglob("*.py"))]
        if (lines := len(path.read_text().splitlines())) > LONGER_FILES.get(named(path), MAX_FILE_LINES)
    }
    assert long == {}


def test_no_function_body_is_longer_than_its_ceiling():
    long = {
        f"{named(path)}:{node.lineno} {node.name}": lines
        for path in sources()
        for node in functions(path)
        if (lines := body_lines(node)) > MAX_BODY_LINES
    }
    assert long == {}


def test_every_file_is_named_for_what_it_owns():
    assert [named(path) for path in sources() if path.stem in FORBIDDEN_STEMS] == []


def test_every_file_says_what_it_owns():
    silent = [
        named(path)
        for path in sources()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_nothing_but_the_house_stands_at_the_top():
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    ignored = {name for name in visible if name.endswith((".egg-info", ".db")) or name in {"build", "dist"}}
    assert visible - ignored <= TOP_LEVEL


@pytest.mark.parametrize(
    ("module", "rooms"),
    [
        ("celery", ("powerloop/queue/", "workers/", "beat/")),
        ("kombu", ("powerloop/queue/", "workers/", "beat/")),
        ("redis", ("powerloop/queue/", "powerloop/embedded/", "workers/", "beat/")),
        ("sqlalchemy", ("powerloop/store/",)),
        ("psycopg", ("powerloop/store/", "powerloop/embedded/")),
        ("openai", ("powerloop/llm/",)),
        ("anthropic", ("powerloop/llm/",)),
    ],
)
def test_a_library_is_imported_in_its_room_only(module: str, rooms: tuple[str, ...]):
    pattern = re.compile(rf"^\s*(?:import|from) {module}(?:[.\s]|$)", re.MULTILINE)
    strangers = [
        named(path)
        for path in sources()
        if pattern.search(path.read_text()) and not named(path).startswith((*rooms, "powerloop/testing/"))
    ]
    assert strangers == []


def test_the_kernel_imports_the_standard_library_only():
    pattern = re.compile(r"^\s*(?:import|from) ([a-z_0-9]+)", re.MULTILINE)

    foreign = {
        (named(path), name)
        for path in (ROOT / "powerloop/kernel").rglob("*.py")
        for name in pattern.findall(
            "\n".join(line for line in path.read_text().splitlines() if line[:4] in ("from", "impo"))
        )
        if name != "powerloop" and name not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_settings_are_read_by_composition_roots_only():
    roots = (
        "powerloop/settings.py",
        "powerloop/client/",
        "powerloop/cli/",
        "powerloop/embedded/",
        "workers/",
        "beat/",
    )
    readers = [
        named(path)
        for path in sources()
        if "powerloop.settings" in path.read_text()
        and not named(path).startswith((*roots, "powerloop/testing/"))
    ]
    assert readers == []
