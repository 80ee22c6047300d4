"""What a process is told by its environment."""

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """AVAL_DATABASE, AVAL_LISTEN (host:port), AVAL_CERTIFICATES (a folder), AVAL_SERVICES (JSON: name to address)."""

    database: str
    listen: str
    certificates: pathlib.Path
    services: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """KeyError names what is missing."""
        return cls(
            environment["AVAL_DATABASE"],
            environment["AVAL_LISTEN"],
            pathlib.Path(environment["AVAL_CERTIFICATES"]),
            json.loads(environment.get("AVAL_SERVICES", "{}")),
        )

    def to_environment(self) -> dict[str, str]:
        """What `from_environment` reads."""
        return {
            "AVAL_DATABASE": self.database,
            "AVAL_LISTEN": self.listen,
            "AVAL_CERTIFICATES": str(self.certificates),
            "AVAL_SERVICES": json.dumps(dict(self.services)),
        }
