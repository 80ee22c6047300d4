"""A store whose process may die before a commit."""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from chassis.database import Database


class Crash(BaseException):
    """The process died before its commit: no error that the writer could outlive."""


class CrashingDatabase(Database):
    """A store whose next commit may never happen."""

    crash_next = False

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """As the store's, but for the crash."""
        with super().write() as connection:
            yield connection
            if self.crash_next:
                self.crash_next = False
                raise Crash
