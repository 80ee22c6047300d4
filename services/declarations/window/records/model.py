"""A record beside the declarations: its versions, each as its writer gave it at a time."""

from dataclasses import dataclass

from aval.declarations.v1 import records_pb2

from chassis import ids


@dataclass(frozen=True, slots=True)
class Record:
    """A version of the record `record`; `declaration` is a number, `body` a serialised Record.

    The version with the newest notice time counts; all versions are kept.
    """

    id: str
    record: str
    kind: str
    enterprise: str
    declaration: str
    body: bytes
    digest: bytes
    writer: str
    notice_us: int
    create_us: int
    is_newest: bool

    @property
    def name(self) -> str:
        """The record's resource name, the same for all versions."""
        return f"records/{self.record}"

    @property
    def message(self) -> records_pb2.Record:
        """The record as it came."""
        return records_pb2.Record.FromString(self.body)


def identifier(kind: str, *key: str) -> str:
    """Returns the id of the record of a kind that a natural key names."""
    return ids.derived("record", kind, *key)
