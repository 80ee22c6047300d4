"""Draws who imports whom: `draw_imports.py [--json] [--svg FILE] [--depth N] PACKAGE [ROOT]`.

A room is a folder with files in it, or a file that stands beside folders; `--depth 1` draws only what lies directly in
the package, its wings. An arrow stands for all imports of one room by another, those inside functions among them. Rooms
that import each other, directly or by way of others, form a circle. The floor of a room is the longest way down from
it, a circle counted as one room; an arrow that doesn't lead to a lower floor is an arrow up.
"""

import argparse
import ast
import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

Graph = Mapping[str, AbstractSet[str]]
BOX_WIDTH, BOX_HEIGHT, GAP, MARGIN = 150, 28, 18, 20
FLOOR_HEIGHT = 80


def modules(package: str, root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the files of a package by module name, without its migrations: a folder's __init__ bears its name."""
    files: dict[str, pathlib.Path] = {}
    for path in sorted((root / package.replace(".", "/")).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if "versions" not in parts:
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def imported(path: pathlib.Path, known: AbstractSet[str]) -> Iterator[str]:
    """Yields the modules of the package that a file imports: `from a.b import c` is a.b.c where that is a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(module: str, path: pathlib.Path, package: str, depth: int) -> str:
    """Returns the room of a module: `register.value` of services.declarations.register.value.store in declarations."""
    parts = module.removeprefix(package).strip(".").split(".")
    is_own = path.name == "__init__.py" or len(parts) == 1 or _stands_beside_folders(path)
    inside = parts if is_own else parts[:-1]
    return ".".join(inside[:depth] if depth else inside)


def _stands_beside_folders(path: pathlib.Path) -> bool:
    return any((child / "__init__.py").exists() for child in path.parent.iterdir())


def graph_of(package: str, root: pathlib.Path, depth: int = 0) -> dict[str, set[str]]:
    """Returns for each room of a package the rooms that it imports."""
    files = modules(package, root)
    rooms = {module: room_of(module, path, package, depth) for module, path in files.items() if module != package}
    graph: dict[str, set[str]] = {room: set() for room in rooms.values()}
    for module, room in rooms.items():
        targets = {rooms[name] for name in imported(files[module], files.keys()) if name in rooms}
        graph[room] |= targets - {room}
    return graph


def circles(graph: Graph) -> list[set[str]]:
    """Returns the groups of rooms that reach each other: {"a": {"b"}, "b": {"a"}, "c": {"a"}} has one, a and b."""
    reach = {room: _reachable(graph, room) for room in graph}
    rings: list[set[str]] = []
    for room in graph:
        circle = {other for other in reach[room] if room in reach[other]}
        if len(circle) > 1 and circle not in rings:
            rings.append(circle)
    return rings


def _reachable(graph: Graph, start: str) -> set[str]:
    reached, waiting = set(), [start]
    while waiting:
        for room in graph[waiting.pop()] - reached:
            reached.add(room)
            waiting.append(room)
    return reached


def floors(graph: Graph) -> dict[str, int]:
    """Returns the floor of each room, 0 for those that import none; the rooms of a circle share a floor."""
    home = {room: min(circle) for circle in circles(graph) for room in circle}
    below: dict[str, set[str]] = {}
    for room, targets in graph.items():
        own = home.get(room, room)
        below.setdefault(own, set()).update({home.get(target, target) for target in targets} - {own})
    heights: dict[str, int] = {}
    for own in below:
        _height(below, own, heights)
    return {room: heights[home.get(room, room)] for room in graph}


def _height(below: Graph, room: str, heights: dict[str, int]) -> int:
    if room not in heights:
        heights[room] = max((_height(below, target, heights) + 1 for target in below[room]), default=0)
    return heights[room]


def counts(graph: Graph) -> dict[str, int]:
    """Returns the figures of a drawing: rooms, floors, arrows, arrows up, circles and the rooms in them."""
    level, rings = floors(graph), circles(graph)
    arrows = [(room, target) for room, targets in graph.items() for target in targets]
    return {
        "rooms": len(graph),
        "floors": len(set(level.values())),
        "arrows": len(arrows),
        "arrows_up": sum(level[target] >= level[room] for room, target in arrows),
        "circles": len(rings),
        "rooms_in_circles": sum(map(len, rings)),
    }


def svg(graph: Graph) -> str:
    """Returns the drawing: a row of boxes for each floor, the highest on top, and a line for each arrow."""
    places = _places(floors(graph))
    width = max(x for x, _ in places.values()) + BOX_WIDTH + MARGIN
    height = max(y for _, y in places.values()) + BOX_HEIGHT + MARGIN
    lines = [
        _arrow(places[room], places[target]) for room, targets in sorted(graph.items()) for target in sorted(targets)
    ]
    boxes = [_box(room, *place) for room, place in sorted(places.items())]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    return "\n".join([head, *lines, *boxes, "</svg>", ""])


def _places(level: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    top = max(level.values())
    rows: dict[int, list[str]] = {}
    for room in sorted(level):
        rows.setdefault(top - level[room], []).append(room)
    return {
        room: (MARGIN + index * (BOX_WIDTH + GAP), MARGIN + row * FLOOR_HEIGHT)
        for row, rooms in rows.items()
        for index, room in enumerate(rooms)
    }


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = start, end
    color = "#999" if y2 > y1 else "#c00"
    middle = BOX_WIDTH // 2
    return f'<path d="M{x1 + middle} {y1 + BOX_HEIGHT} L{x2 + middle} {y2}" stroke="{color}" stroke-width="0.7"/>'


def _box(room: str, x: int, y: int) -> str:
    text = f'<text x="{x + BOX_WIDTH // 2}" y="{y + 18}" font-size="11" text-anchor="middle">{room}</text>'
    return f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="4" fill="#fff" stroke="#333"/>{text}'


def table(figures: Mapping[str, int], rings: Iterable[AbstractSet[str]]) -> str:
    """Returns the figures as lines, and each circle with its rooms."""
    lines = [f"{name.replace('_', ' '):<18}{figure:>5}" for name, figure in figures.items()]
    return "\n".join([*lines, *(f"circle: {', '.join(sorted(circle))}" for circle in rings)])


def main(arguments: Sequence[str]) -> int:
    """Prints the figures of a package's imports, and draws them where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[1])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--depth", type=int, default=0)
    options = parser.parse_args(arguments)
    graph = graph_of(options.package, options.root, options.depth)
    figures, rings = counts(graph), circles(graph)
    if options.svg:
        options.svg.write_text(svg(graph), "utf-8")
    print(json.dumps(figures) if options.json else table(figures, rings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
