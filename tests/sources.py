"""The project's own sources, as the tidy tests read them."""

import ast
import importlib
from functools import cache
from pathlib import Path

from ipc.layout import Layout

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("ipc", "vortex", "procs", "tools")
#: What others import; ``tools`` are looked at, but nothing is promised of them.
PACKAGES = ("ipc", "vortex", "procs")


def modules_of(floor: str) -> list[Path]:
    """Return the Python files of a floor."""
    return sorted((ROOT / floor).rglob("*.py"))


def all_modules() -> list[Path]:
    """Return the Python files of all floors."""
    return [path for floor in FLOORS for path in modules_of(floor)]


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), str(path))


def functions_of(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function of a file, methods and inner ones too."""
    nodes = ast.walk(parsed(path))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def is_compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether the function carries ``@compiled``."""
    return any(
        isinstance(decorator, ast.Name) and decorator.id == "compiled"
        for decorator in function.decorator_list
    )


def module_name(path: Path) -> str:
    """Return the dotted name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layouts() -> dict[str, Layout]:
    """Return every Layout declared in the packages, by ``module.NAME``."""
    found: dict[str, Layout] = {}
    for floor in PACKAGES:
        for path in modules_of(floor):
            if "Layout(" not in path.read_text("utf-8") or path.stem == "__main__":
                continue
            module = importlib.import_module(module_name(path))
            for node in parsed(path).body:
                for target in node.targets if isinstance(node, ast.Assign) else []:
                    value = getattr(module, ast.unparse(target), None)
                    if isinstance(value, Layout):
                        found[f"{module.__name__}.{ast.unparse(target)}"] = value
    return found
