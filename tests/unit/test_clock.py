"""Dates follow from times without a fraction of a microsecond lost."""

import datetime

import pytest

from trade.calendars import CHINA, day_in_china


@pytest.mark.parametrize("year", [1970, 2026, 3000, 9000])
def test_the_last_microsecond_of_a_day_belongs_to_it(year: int) -> None:
    midnight = datetime.datetime(year, 1, 3, tzinfo=CHINA) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    midnight_us = midnight // datetime.timedelta(microseconds=1)
    assert day_in_china(midnight_us) == datetime.date(year, 1, 3)
    assert day_in_china(midnight_us - 1) == datetime.date(year, 1, 2)
