"""Days: which are worked or open where, and the dates that rules give on them.

`calendars.packaged("CN.working")` is a calendar, `calendars.following(calendar, day)` a rule on it. Whoever needs a day
imports from here alone.
"""

from trade.calendars.days import CHINA, DAY, day_in_china, months_after
from trade.calendars.deadlines import RULES, Deadline, Rule, again, from_json, to_json
from trade.calendars.model import Calendar, CalendarVersion, Days, Joint, Opening, Purpose
from trade.calendars.packages import packaged, packaged_names
from trade.calendars.rows import problems, read
from trade.calendars.rules import (
    days_after,
    earlier_of,
    end_of_month,
    following,
    later_of,
    modified_following,
    modified_preceding,
    preceding,
    presentation_day,
    unadjusted,
    working_day_of_month,
    working_day_of_next_month,
    working_days_after,
)

__all__ = [
    "CHINA",
    "DAY",
    "RULES",
    "Calendar",
    "CalendarVersion",
    "Days",
    "Deadline",
    "Joint",
    "Opening",
    "Purpose",
    "Rule",
    "again",
    "day_in_china",
    "days_after",
    "earlier_of",
    "end_of_month",
    "following",
    "from_json",
    "later_of",
    "modified_following",
    "modified_preceding",
    "months_after",
    "packaged",
    "packaged_names",
    "preceding",
    "presentation_day",
    "problems",
    "read",
    "to_json",
    "unadjusted",
    "working_day_of_month",
    "working_day_of_next_month",
    "working_days_after",
]
