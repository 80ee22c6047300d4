"""A deadline of a field of a resource. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from trade import calendars
from trade.calendars import Calendar, Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A deadline with the resource and the field whose date it is: records/{id} and due_date."""

    resource: str
    field: str
    deadline: Deadline

    @property
    def noun(self) -> str:
        """The resource's collection: records of records/0194…."""
        return self.resource.partition("/")[0]

    def again(self, by_name: Mapping[str, Calendar]) -> "Kept":
        """Returns it computed anew by the calendars of these names. Raises KeyError for a calendar that isn't there."""
        return replace(self, deadline=calendars.again(self.deadline, by_name))


@dataclass(frozen=True, slots=True)
class Move:
    """A deadline before and after its calendar was published; the date may be the same, and certain now."""

    before: Kept
    after: Kept

    @property
    def is_another_day(self) -> bool:
        """Whether the date itself moved."""
        return self.before.deadline.date != self.after.deadline.date
