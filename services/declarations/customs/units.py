"""Units of quantity by their customs codes. Pure."""

from functools import lru_cache

from services.declarations.customs.code_tables import code_table

# Customs' unit that all goods declared by mass are counted in.
KILOGRAM = "035"


@lru_cache(maxsize=1024)
def counting_unit(unit: str) -> tuple[str, int]:
    """Returns the unit in which quantities are counted, and the power of ten between: units of mass are kilograms.

    Text that can't be a unit's code counts as no unit. Grams, `036`, give `035` and -3.
    """
    for row in code_table("mass_units").rows():
        if row["code"] == unit:
            return KILOGRAM, int(row["power"])
    return unit if unit.isalnum() else "", 0
