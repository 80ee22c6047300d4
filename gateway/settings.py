"""What the gateway is told by its environment."""

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from chassis.settings import STREAMS_PER_TENANT


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """AVAL_DATABASE, AVAL_CERTIFICATES (a folder), AVAL_SERVICES (JSON: name to address), and where it listens.

    AVAL_HTTP_LISTEN for pages and JSON (plain HTTP: behind a TLS edge, or on loopback),
    AVAL_DOOR_LISTEN for the banks' gRPC, AVAL_OTLP_LISTEN for spans (empty: no receiver). Each host:port.
    AVAL_STREAMS_PER_TENANT: how many streams a tenant may hold open at the door to each service; unset: 50.
    """

    database: str
    certificates: pathlib.Path
    services: Mapping[str, str]
    http_listen: str
    door_listen: str
    otlp_listen: str = ""
    streams_per_tenant: int = field(default=STREAMS_PER_TENANT, kw_only=True)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "GatewaySettings":
        """KeyError names what is missing."""
        return cls(
            environment["AVAL_DATABASE"],
            pathlib.Path(environment["AVAL_CERTIFICATES"]),
            json.loads(environment["AVAL_SERVICES"]),
            environment["AVAL_HTTP_LISTEN"],
            environment["AVAL_DOOR_LISTEN"],
            environment.get("AVAL_OTLP_LISTEN", ""),
            streams_per_tenant=int(environment.get("AVAL_STREAMS_PER_TENANT", STREAMS_PER_TENANT)),
        )

    def to_environment(self) -> dict[str, str]:
        """What `from_environment` reads."""
        return {
            "AVAL_DATABASE": self.database,
            "AVAL_CERTIFICATES": str(self.certificates),
            "AVAL_SERVICES": json.dumps(dict(self.services)),
            "AVAL_HTTP_LISTEN": self.http_listen,
            "AVAL_DOOR_LISTEN": self.door_listen,
            "AVAL_OTLP_LISTEN": self.otlp_listen,
            "AVAL_STREAMS_PER_TENANT": str(self.streams_per_tenant),
        }
