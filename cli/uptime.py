"""How long this process has been running: from the command's start, before anything is imported."""

import os
import pathlib
import time

# Where the system doesn't tell, the count begins here.
IMPORTED = time.monotonic()
# The field of /proc/self/stat, counted from the state: the name before it may hold spaces.
START_TICKS = 19


def seconds_since_start() -> float:
    """Returns the seconds since the system started this process; without /proc, since this module was imported."""
    try:
        stat = pathlib.Path("/proc/self/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return time.monotonic() - IMPORTED
    ticks = int(stat.rpartition(")")[2].split()[START_TICKS])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
