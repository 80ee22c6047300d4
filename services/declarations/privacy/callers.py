"""Callers that see the data of every enterprise without its consent."""

from chassis.identity import Caller

# The role of the single window's own systems.
WINDOW = "WINDOW"


def is_window(caller: Caller) -> bool:
    """Returns whether the single window itself calls."""
    return WINDOW in caller.roles


def is_platform(caller: Caller) -> bool:
    """Returns whether the window or one of the platform's own services calls: each sees the data of all enterprises."""
    return is_window(caller) or caller.tenant.startswith("services/")
