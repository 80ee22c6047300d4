"""Results of summaries (CEB 792): the goods declarations that customs made, and the lists that went into each.

Each result is kept once, by its content. The lists of a declaration are all that any of its results names: customs
leaves them out of what comes later, and one that is split names a part of them each.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """The row. `declaration` is the declaration's number, empty until customs has given it one."""

    id: str
    summary_number: str
    merchant_code: str
    unified_number: str
    declaration: str
    state: str
    process_us: int
    body: bytes
    create_us: int
