"""The settings of a process, from its environment."""

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

STREAMS_PER_TENANT = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """AVAL_DATABASE, AVAL_LISTEN (host:port), AVAL_CERTIFICATES (a folder), AVAL_SERVICES (JSON: name to address).

    AVAL_KEYS names the file of the service's key ring; unset: NAME.keys.json beside the certificates.
    AVAL_STREAMS_PER_TENANT: how many streams a tenant may hold open at each process; unset: 50.
    """

    database: str
    listen: str
    certificates: pathlib.Path
    services: Mapping[str, str]
    keys: pathlib.Path | None = None
    streams_per_tenant: int = STREAMS_PER_TENANT

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Reads the settings. Raises KeyError with the name of what is missing."""
        return cls(
            environment["AVAL_DATABASE"],
            environment["AVAL_LISTEN"],
            pathlib.Path(environment["AVAL_CERTIFICATES"]),
            json.loads(environment.get("AVAL_SERVICES", "{}")),
            pathlib.Path(environment["AVAL_KEYS"]) if "AVAL_KEYS" in environment else None,
            int(environment.get("AVAL_STREAMS_PER_TENANT", STREAMS_PER_TENANT)),
        )

    def to_environment(self) -> dict[str, str]:
        """Returns what `from_environment` reads."""
        environment = {
            "AVAL_DATABASE": self.database,
            "AVAL_LISTEN": self.listen,
            "AVAL_CERTIFICATES": str(self.certificates),
            "AVAL_SERVICES": json.dumps(dict(self.services)),
            "AVAL_STREAMS_PER_TENANT": str(self.streams_per_tenant),
        }
        return environment | ({"AVAL_KEYS": str(self.keys)} if self.keys else {})
