"""Every name a span or a metric may carry is declared in docs/telemetry.md, and every trace key is one of them."""

import re
from pathlib import Path

from gateway.traces.model import INDEXED

ROOT = Path(__file__).parents[2]
NAME = re.compile(r'"((?:aval|http)\.[a-z_]+(?:\.[a-z_]+)*)"')


def declared() -> set[str]:
    return set(re.findall(r"`((?:aval|http)\.[a-z_.]+)`", (ROOT / "docs" / "telemetry.md").read_text()))


def used() -> set[str]:
    lines = [
        line
        for folder in ("protos", "chassis", "ledger", "trade", "services", "gateway")
        for ending in ("*.py", "*.proto")
        for file in (ROOT / folder).rglob(ending)
        for line in file.read_text(encoding="utf-8").splitlines()
        if "span_attribute" in line
        or "set_attribute" in line
        or '"aval.ledger.' in line
        or "LINK = " in line
        or "create_gauge(" in line
        or "PEER = " in line
        or "SOURCE = " in line
    ]
    return {name for line in lines for name in NAME.findall(line)}


def test_every_name_is_declared_and_every_declared_name_is_used() -> None:
    assert used() == declared()


def test_traces_are_found_by_declared_names() -> None:
    assert set(INDEXED) <= declared()
