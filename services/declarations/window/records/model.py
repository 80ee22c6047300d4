"""A record beside the declarations: one version of it, as its writer gave it at a time."""

from dataclasses import dataclass

from aval.declarations.v1 import records_pb2

from chassis import ids


@dataclass(frozen=True, slots=True)
class Record:
    """One version. `record` says of which record; `declaration` is a number; `body` is a serialised Record.

    Of all versions of a record the one with the newest notice time counts; they are all kept.
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
        """Its resource name, the same for all versions."""
        return f"records/{self.record}"

    @property
    def message(self) -> records_pb2.Record:
        """As it came."""
        return records_pb2.Record.FromString(self.body)


def identifier(kind: str, *key: str) -> str:
    """The id of the one record of a kind that a natural key names."""
    return ids.derived("record", kind, *key)
