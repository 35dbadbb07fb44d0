"""Each event is declared once, logged somewhere, and with as many arguments as its text has."""

import ast
from collections.abc import Iterator
from pathlib import Path

from sources import ROOT, modules_of, parsed

from procs.logs import hot_events
from procs.logs.hot_events import CATALOGUE

#: ``tell(logger, event, now, words ...)``.
BEFORE_WORDS = 3


def calls() -> Iterator[tuple[Path, ast.Call, str]]:
    """Yield every call of ``tell`` with an event, and the event's name."""
    for path in modules_of("procs"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and len(node.args) >= BEFORE_WORDS:
                event = node.args[1]
                named = isinstance(event, ast.Attribute) and isinstance(event.value, ast.Name)
                if named and event.value.id == "hot_events":
                    yield path, node, event.attr


def test_events_are_logged_with_as_many_arguments_as_their_text_names() -> None:
    wrong = []
    for path, call, name in calls():
        event = CATALOGUE.events[getattr(hot_events, name)]
        if len(call.args) - BEFORE_WORDS != len(event.kinds):
            wrong.append(f"{path.relative_to(ROOT)}:{call.lineno}: {name}: {event.text}")
    assert not wrong


def test_every_event_is_logged_somewhere() -> None:
    logged = {getattr(hot_events, name) for _, _, name in calls()}
    never = [event.text for number, event in CATALOGUE.events.items() if number not in logged]
    assert not never, "declare what is logged, and nothing else"


def test_events_are_declared_in_one_file() -> None:
    # Their numbers depend on their order, which imports must not decide.
    wrong = [
        f"{path.relative_to(ROOT)}"
        for path in modules_of("procs")
        if path.name != "hot_events.py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Name) and node.id == "Catalogue"
    ]
    assert not wrong
