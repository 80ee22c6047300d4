"""The drawing of imports: rooms, floors, arrows up and circles, on a small package and on declarations."""

import pathlib

from scripts import draw_imports

ROOT = pathlib.Path(__file__).parents[2]
# A house of three rooms: the two on top import each other, both import the ground floor.
CIRCLE = {"roof": {"attic", "ground"}, "attic": {"roof", "ground"}, "ground": set[str]()}


def test_rooms_that_import_each_other_are_a_circle_on_one_floor() -> None:
    assert draw_imports.circles(CIRCLE) == [{"roof", "attic"}]
    assert draw_imports.floors(CIRCLE) == {"roof": 1, "attic": 1, "ground": 0}
    assert draw_imports.counts(CIRCLE) == {
        "rooms": 3, "floors": 2, "arrows": 4, "arrows_up": 2, "circles": 1, "rooms_in_circles": 2,
    }  # fmt: skip


def test_an_import_inside_a_function_is_an_arrow_too(tmp_path: pathlib.Path) -> None:
    for room, text in {
        "house/low/store.py": "def open():\n    from house.high import store\n",
        "house/high/store.py": "from house.low import store as low_store\n",
        "house/service.py": "import house.high.store\n",
    }.items():
        file = tmp_path / room
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text)
    graph = draw_imports.graph_of("house", tmp_path)
    assert graph == {"low": {"high"}, "high": {"low"}, "service": {"high"}}


def test_declarations_have_no_arrow_up_and_no_circle() -> None:
    """Neither among its wings nor among its rooms."""
    for depth in (0, 1):
        figures = draw_imports.counts(draw_imports.graph_of("services.declarations", ROOT, depth))
        assert (figures["arrows_up"], figures["circles"]) == (0, 0)


def test_the_drawing_of_the_wings_is_the_present_one() -> None:
    """docs/declarations-wings.svg: python scripts/draw_imports.py services.declarations --depth 1 --svg ..."""
    graph = draw_imports.graph_of("services.declarations", ROOT, 1)
    assert (ROOT / "docs" / "declarations-wings.svg").read_text("utf-8") == draw_imports.svg(graph)
