"""The code tables of this service: data/*.csv, sources in data/README.md."""

from functools import partial

from chassis import codetables
from chassis.codetables import Row

__all__ = ["Row", "code_table"]

code_table = partial(codetables.code_table, "services.declarations")
