"""docs/configuration.md, from the declarations of the configuration: every key of the file."""

from typing import Any

import msgspec

from procs.plan.config import Config
from vortex import strategies

HEAD = """# Configuration

Every key of the TOML file that `vortexctl start -c` reads.  Written by `make docs` from
`procs/plan/config.py`; do not edit.

A key that is unknown, of the wrong type or out of range is refused with its path; a key without a
default is required.  Paths are relative to the configuration's folder, except runs_folder, which is
relative to the working directory of the command.  `vortexctl config check FILE` prints the result.
`configs/demo.toml` is for the local exchange, `configs/binance_spot.toml` for the venue."""


def kind_of(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return the valid values of a key."""
    if "anyOf" in schema:
        others = [each for each in schema["anyOf"] if each.get("type") != "null"]
        return kind_of(others[0], definitions)
    if "enum" in schema:
        return ", ".join(f'"{value}"' for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {kind_of(schema['items'], definitions)}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    if "minimum" in schema:
        return f"{schema['minimum']} and more"
    return {"string": "text", "object": "table", "integer": "integer"}[schema["type"]]


def default_of(schema: dict[str, Any]) -> str:
    """Return the default of a key, as TOML."""
    if "default" not in schema:
        return "required"
    default = schema["default"]
    return "" if default is None else f"`{msgspec.json.encode(default).decode()}`"


def tables(path: str, name: str, definitions: dict[str, Any]) -> list[str]:
    """Return the sections of one table and of those within it, as Markdown."""
    definition = definitions[name]
    rows, within = [], []
    for key, schema in definition["properties"].items():
        of = next((each for each in schema.get("anyOf", []) if "$ref" in each), schema)
        target = of.get("$ref") or of.get("items", {}).get("$ref")
        if target is not None:
            inner = f"{path.strip('[]')}.{key}".lstrip(".")
            heading = f"[[{inner}]]" if of.get("type") == "array" else f"[{inner}]"
            within += tables(heading, target.rpartition("/")[2], definitions)
            continue
        kind, default = kind_of(schema, definitions), default_of(schema)
        rows.append(f"| `{key}` | {kind} | {default} | {schema['description']} |")
    head = [f"## `{path}`" if path else "## At the top", definition["description"]]
    return [
        "\n\n".join([*head, "\n".join(["| key | values | default | |", "|-|-|-|-|", *rows])]),
        *within,
    ]


def params_tables() -> list[str]:
    """Return the parameters of each strategy of Vortex, as Markdown."""
    parts = []
    for name in strategies.names():
        schema = msgspec.json.schema(strategies.load(name).params_type)
        definitions = schema["$defs"]
        (table,) = tables(f"params of {name}", schema["$ref"].rpartition("/")[2], definitions)
        parts.append(table)
    return parts


def text() -> str:
    """Return the whole document."""
    definitions = msgspec.json.schema(Config)["$defs"]
    parts = [HEAD, *tables("", "Config", definitions), *params_tables()]
    return "\n\n".join(parts) + "\n"
