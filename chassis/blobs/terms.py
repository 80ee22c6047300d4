"""Limits of blobs, as effective on a date, from data/blob_limits.csv."""

from datetime import date

from chassis.clock import MICROSECONDS
from chassis.codetables import code_table

HOUR_US = 3600 * MICROSECONDS


def _value(code: str, on: date) -> int:
    return int(code_table("chassis", "blob_limits").value(code, on))


def blob_bytes(on: date) -> int:
    """Returns how many bytes a blob has at most."""
    return _value("blob_bytes", on)


def owner_bytes(on: date) -> int:
    """Returns how many bytes all blobs of an owner have at most together."""
    return _value("owner_bytes", on)


def upload_kept_us(on: date) -> int:
    """Returns for how many microseconds the parts of an upload that was cut off are kept."""
    return _value("upload_kept_hours", on) * HOUR_US


def unclaimed_kept_us(on: date) -> int:
    """Returns for how many microseconds an uploaded blob is kept that no resource refers to."""
    return _value("unclaimed_kept_days", on) * 24 * HOUR_US
