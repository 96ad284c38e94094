"""Reading a JSON Schema: which keys and values it knows at a place."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

#: Keys and indices from the top of a value down to a place in it.
Path: TypeAlias = tuple[str | int, ...]
Node: TypeAlias = Mapping[str, Any]

_BRANCHES = ("anyOf", "oneOf", "allOf")
#: References to references, and unions in unions: deeper is not looked.
_DEPTH = 8


def keys_at(root: Node, path: Path = ()) -> tuple[str, ...]:
    """The names of the properties that an object at `path` may have; empty where the schema names none."""
    return tuple(dict.fromkeys(key for node in _nodes_at(root, path) for key in node.get("properties", ())))


def choices_at(root: Node, path: Path) -> tuple[Any, ...]:
    """The values that are allowed at `path`; empty where the schema does not list them."""
    return tuple(
        choice
        for node in _nodes_at(root, path)
        for choice in (node.get("enum", ()) if "const" not in node else (node["const"],))
    )


def _nodes_at(root: Node, path: Path) -> list[Node]:
    nodes = list(_spread(root, root))
    for step in path:
        nodes = [
            node for parent in nodes for child in _children(parent, step) for node in _spread(child, root)
        ]
    return nodes


def _spread(node: object, root: Node, depth: int = _DEPTH) -> Iterator[Node]:
    """The node, and all that it refers to or chooses from."""
    if not isinstance(node, Mapping) or depth == 0:
        return
    yield node
    if isinstance(reference := node.get("$ref"), str):
        yield from _spread(_target(reference, root), root, depth - 1)
    for branch in (branch for key in _BRANCHES for branch in node.get(key, ())):
        yield from _spread(branch, root, depth - 1)


def _children(node: Node, step: str | int) -> Iterator[object]:
    if isinstance(step, str):
        properties = node.get("properties", {})
        yield properties[step] if step in properties else node.get("additionalProperties")
    else:
        first = node.get("prefixItems", ())
        yield first[step] if step < len(first) else node.get("items")


def _target(reference: str, root: Node) -> object:
    """What a local reference, ``#/$defs/Name``, points to; `None` for any other."""
    place: object = root
    for part in reference.removeprefix("#").lstrip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        place = place.get(key) if isinstance(place, Mapping) else None
    return place
