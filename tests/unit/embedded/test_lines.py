"""The terminal's lines: one prefix for each process, and nothing in a line is taken for markup."""

import io

import pytest
from rich.console import Console

from powerloop.embedded import TerminalLines


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def test_each_line_stands_behind_the_name_of_its_process(screen: io.StringIO):
    lines = TerminalLines(Console(file=screen), width=6)
    lines.write("beat", "tick")
    lines.write("worker", "ready")
    assert screen.getvalue() == "beat   | tick\nworker | ready\n"


def test_a_terminal_without_colours_gets_plain_text(screen: io.StringIO):
    TerminalLines(Console(file=screen, force_terminal=False)).write("beat", "\x1b[31mred\x1b[0m")
    assert "\x1b" not in screen.getvalue()


def test_a_terminal_with_colours_tells_two_processes_apart(screen: io.StringIO):
    lines = TerminalLines(Console(file=screen, force_terminal=True, color_system="standard"))
    for name in ("beat", "worker", "beat"):
        lines.write(name, "x")
    first, second, third = screen.getvalue().splitlines()
    assert first == third
    assert first.split("beat")[0] != second.split("worker")[0]


def test_brackets_are_not_markup_and_long_lines_are_not_broken(screen: io.StringIO):
    line = "[bold]tasks[/bold] " + "x" * 200
    TerminalLines(Console(file=screen, width=40)).write("worker", line)
    assert screen.getvalue() == f"worker     | {line}\n"
