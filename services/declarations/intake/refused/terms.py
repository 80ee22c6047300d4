"""Terms of keeping refused documents, as effective on a day, from data/terms.csv."""

from datetime import date

from services.declarations.customs.code_tables import code_table


def refused_kept_days(on: date) -> int:
    """For how many days what was refused is kept after it was refused last."""
    return int(code_table("terms").value("refused_kept_days", on))


def refused_kept_most(on: date) -> int:
    """How many refused documents and rows of one sender may wait to be mended."""
    return int(code_table("terms").value("refused_kept_most", on))
