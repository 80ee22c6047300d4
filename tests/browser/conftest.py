"""The gateway's test world, for a real browser."""

import importlib.util
import pathlib
import sys

# The same fixtures as the gateway's service tests, on SQLite.
_file = pathlib.Path(__file__).parents[1] / "service" / "gateway" / "conftest.py"
_spec = importlib.util.spec_from_file_location("gateway_world", _file)
assert _spec
assert _spec.loader
_module = importlib.util.module_from_spec(_spec)
sys.modules["gateway_world"] = _module
_spec.loader.exec_module(_module)
world = _module.world
