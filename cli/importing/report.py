"""Counts of everything that was read, by outcome."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from aval.declarations.v1 import declarations_pb2

Verdict = declarations_pb2.IntakeVerdict
CODE = "INVALID_ARGUMENT"
MOST_TOLD = 100_000


@dataclass(slots=True)
class Counts:
    """How many documents were read, and what became of them; `refused` has a row for each problem.

    `untold` counts the problems beyond those that memory should hold.
    """

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused_documents: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    untold: int = 0

    @property
    def rules(self) -> set[str]:
        """Returns the rules that what was refused broke."""
        return {row["rule"] for row in self.refused}

    def refuse(self, file: str, document: str, problems: Iterable[tuple[str, str, str]]) -> None:
        """Counts a refused document with its problems: path, rule, message."""
        self.read += 1
        self.refused_documents += 1
        for path, rule, message in problems:
            if len(self.refused) >= MOST_TOLD:
                self.untold += 1
                continue
            row = {"file": file, "document": document, "path": path, "code": CODE, "rule": rule, "message": message}
            self.refused.append(row)

    def add(self, file: str, document: str, verdict: declarations_pb2.IntakeVerdict) -> None:
        """Counts a document by its verdict."""
        if verdict.outcome == Verdict.REFUSED:
            self.refuse(
                file, document, [(problem.path, problem.reason, problem.message) for problem in verdict.problems]
            )
            return
        self.read += 1
        self.accepted += verdict.outcome == Verdict.ACCEPTED
        self.duplicates += verdict.outcome == Verdict.DUPLICATE

    def join(self, other: "Counts") -> None:
        """Adds another's counts."""
        for each_field in fields(self):
            setattr(self, each_field.name, getattr(self, each_field.name) + getattr(other, each_field.name))
        self.untold += len(self.refused[MOST_TOLD:])
        del self.refused[MOST_TOLD:]

    def to_json(self) -> dict[str, Any]:
        """Returns the command's output: read = accepted + duplicates + refused_documents."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused_documents": self.refused_documents,
            "refused": self.refused,
            **({"untold": self.untold} if self.untold else {}),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Counts":
        """Reads what `to_json` made."""
        return cls(**data)
