"""The roles in which tenants take part in resources; the rows of participants name them."""

import enum


class Role(enum.StrEnum):
    """The part that a tenant plays."""

    BANK = "BANK"
    ENTERPRISE = "ENTERPRISE"
    INSURER = "INSURER"
    OWNER = "OWNER"
