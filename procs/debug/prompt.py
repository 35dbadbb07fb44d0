"""pdb for a stage: breakpoints by function or line, Ctrl-C to the prompt, q to leave."""

import bdb
import dis
import importlib
import pdb
import signal
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, NamedTuple

#: Modules in which to look for a function without a module, beyond the stage's own.
FLOORS = ("procs", "vortex", "ipc")
#: What the paths of Python's own files and of what is installed begin with.
OTHERS = ("<", *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class BadBreak(ValueError):
    """A breakpoint cannot be set; the message says why."""


class Left(Exception):
    """The user has left the prompt."""


class BreakPlace(NamedTuple):
    """Where to stop: ``function`` is empty for a single line."""

    file: str
    line: int
    function: str = ""


def place_of(text: str, modules: Sequence[ModuleType]) -> BreakPlace:
    """Return the place that ``FUNCTION``, ``MODULE.FUNCTION`` or ``FILE:LINE`` names.

    A function without its module is looked for in ``modules``, the first that has it.

    Raises
    ------
    BadBreak
        When there is no such function, file or line of code.
    """
    file_name, colon, number = text.rpartition(":")
    if colon and number.isdecimal():
        return place_of_line(file_name, int(number))
    module_name, _, name = text.rpartition(".")
    owners = modules if not module_name else modules_named(module_name)
    for module in owners:
        function = getattr(module, name, None)
        if isinstance(function, FunctionType):
            return first_of(function)
    others = [] if module_name else functions_named(name)
    if len(others) == 1:
        return first_of(others[0])
    found = ", ".join(sorted(f"{each.__module__}.{name}" for each in others))
    raise BadBreak(f"--break {text}: " + (f"which one? {found}" if found else "no such function"))


def functions_named(name: str) -> list[FunctionType]:
    """Return the functions of that name in all loaded modules of Vortex."""
    modules = [m for key, m in list(sys.modules.items()) if key.split(".")[0] in FLOORS]
    found = [getattr(module, name, None) for module in modules]
    return list({each for each in found if isinstance(each, FunctionType)})


def places_of(texts: Sequence[str], modules: Sequence[ModuleType]) -> list[BreakPlace]:
    """Return the places that several breakpoints name; raises BadBreak as ``place_of`` does."""
    return [place_of(text, modules) for text in texts]


def first_of(function: Any) -> BreakPlace:
    """Return the first line of a function."""
    code = function.__code__
    return BreakPlace(code.co_filename, code.co_firstlineno, code.co_name)


def modules_named(name: str) -> list[ModuleType]:
    """Return the module of a name, whole or the end of one that is loaded: ``book.take``."""
    loaded = [m for key, m in sys.modules.items() if key == name or key.endswith(f".{name}")]
    if loaded:
        return loaded
    try:
        return [importlib.import_module(name)]
    except ImportError as error:
        raise BadBreak(f"--break: no module {name!r}") from error


def place_of_line(file_name: str, line: int) -> BreakPlace:
    """Return the place of a line of a file that is loaded; its name may be the end of the path."""
    wanted = Path(file_name).parts
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    paths = [Path(path) for path in loaded if path and Path(path).parts[-len(wanted) :] == wanted]
    if len(paths) != 1:
        which = ", ".join(sorted(map(str, paths))) or "no file of that name is part of the stage"
        raise BadBreak(f"--break {file_name}:{line}: which one? {which}")
    source = paths[0].read_text(encoding="utf-8")
    lines = sorted(set(lines_of(compile(source, str(paths[0]), "exec"))))
    if line not in lines:
        nearest = next((each for each in lines if each > line), lines[-1])
        raise BadBreak(
            f"--break {file_name}:{line}: no code on this line; the nearest is {nearest}"
        )
    return BreakPlace(str(paths[0]), line)


def lines_of(code: CodeType) -> Iterator[int]:
    """Yield the lines on which code begins, of functions within as well."""
    yield from (line for _, line in dis.findlinestarts(code) if line)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from lines_of(constant)


class Prompt(pdb.Pdb):
    """pdb on calls that it makes itself; frames without a breakpoint are not traced."""

    def __init__(self, places: Sequence[BreakPlace] = (), *, once: bool = False) -> None:
        """Stop at ``places``, the first time only with ``once``."""
        super().__init__(nosigint=True)
        self.prompt = "(vortex) "
        for place in places:
            problem = self.set_break(place.file, place.line, once, None, place.function or None)
            assert not problem, problem

    def run_until_left(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function; return its result.

        Raises
        ------
        Left
            When the user leaves.
        Exception
            The failure of the call; ``look_at`` shows its place.
        """
        # As after ``continue``: without this pdb stops at the very first line.
        self.reset()
        self.botframe = sys._getframe()
        self.set_continue()
        former = signal.signal(signal.SIGINT, self.interrupt)
        sys.settrace(self.trace_dispatch if self.breaks else None)
        try:
            return function(*arguments)
        except bdb.BdbQuit as error:
            raise Left from error
        finally:
            sys.settrace(None)
            signal.signal(signal.SIGINT, former)

    def stop_here(self, frame: FrameType) -> bool:
        """Return whether to stop in a frame: not in numpy's, where an exception may be swallowed.

        Every access to a record's field goes there; ``s`` steps over it.
        """
        top, _, _ = frame.f_globals.get("__name__", "").partition(".")
        is_other = top not in FLOORS and frame.f_code.co_filename.startswith(OTHERS)
        return not is_other and super().stop_here(frame)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: return to the prompt at the next line of our code."""
        self.message("\nInterrupted; c continues, q leaves.")
        while frame is not None and frame is not self.botframe:
            frame.f_trace = self.trace_dispatch
            frame = frame.f_back
        self.set_step()
        sys.settrace(self.trace_dispatch)

    def interaction(self, frame: FrameType | None, traceback: TracebackType | None = None) -> None:
        """Run the prompt; Ctrl-C at the prompt only discards the current input."""
        former = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            super().interaction(frame, traceback)
        finally:
            signal.signal(signal.SIGINT, former)

    def look_at(self, error: Exception) -> None:
        """Show the place of a failure, with its variables."""
        self.message(f"It failed: {type(error).__name__}: {error}; this is where. q leaves.")
        self.reset()
        self.interaction(None, error.__traceback__)
