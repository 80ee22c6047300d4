"""What the gateway is told by its environment."""

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chassis import keyring
from chassis.settings import STREAMS_PER_TENANT
from gateway.limits import LIMITS, Limits

# Names by which pages are always reached, for people on the machine itself.
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
DOOR, PAGES = "door", "pages"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """AVAL_DATABASE, AVAL_CERTIFICATES (a folder), AVAL_SERVICES (JSON: name to address), and where it listens.

    AVAL_HTTP_LISTEN for pages and JSON (plain HTTP: behind a TLS edge, or on loopback),
    AVAL_DOOR_LISTEN for the banks' gRPC, AVAL_OTLP_LISTEN for spans (empty: no receiver). Each host:port.
    AVAL_STREAMS_PER_TENANT: how many streams a tenant may hold open at the door to each service; unset: 50.
    AVAL_KEYS is the file of the key ring; unset: services_gateway.keys.json beside the certificates.
    AVAL_HTTP_HOSTS are the names by which pages are reached, AVAL_HTTP_EDGES the addresses of the TLS edges in
    front of them, whose X-Forwarded headers are believed, both separated by commas; AVAL_HTTPS=1 says that pages
    are reached over TLS only. AVAL_LIMITS is a file of limits in place of data/limits.toml's.
    """

    database: str
    certificates: pathlib.Path
    services: Mapping[str, str]
    http_listen: str
    door_listen: str
    otlp_listen: str = ""
    keys: pathlib.Path | None = None
    http_hosts: tuple[str, ...] = ()
    http_edges: tuple[str, ...] = ()
    https: bool = False
    limits: Limits = LIMITS
    streams_per_tenant: int = field(default=STREAMS_PER_TENANT, kw_only=True)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "GatewaySettings":
        """KeyError names what is missing; UnknownLimit."""
        return cls(
            database=environment["AVAL_DATABASE"],
            certificates=pathlib.Path(environment["AVAL_CERTIFICATES"]),
            services=json.loads(environment["AVAL_SERVICES"]),
            http_listen=environment["AVAL_HTTP_LISTEN"],
            door_listen=environment["AVAL_DOOR_LISTEN"],
            otlp_listen=environment.get("AVAL_OTLP_LISTEN", ""),
            keys=pathlib.Path(environment["AVAL_KEYS"]) if "AVAL_KEYS" in environment else None,
            http_hosts=_listed(environment.get("AVAL_HTTP_HOSTS", "")),
            http_edges=_listed(environment.get("AVAL_HTTP_EDGES", "")),
            https=environment.get("AVAL_HTTPS", "") == "1",
            limits=Limits.load(pathlib.Path(environment["AVAL_LIMITS"])) if "AVAL_LIMITS" in environment else LIMITS,
            streams_per_tenant=int(environment.get("AVAL_STREAMS_PER_TENANT", STREAMS_PER_TENANT)),
        )

    def to_environment(self) -> dict[str, str]:
        """What `from_environment` reads, but for a file of limits."""
        return {
            "AVAL_DATABASE": self.database,
            "AVAL_CERTIFICATES": str(self.certificates),
            "AVAL_SERVICES": json.dumps(dict(self.services)),
            "AVAL_HTTP_LISTEN": self.http_listen,
            "AVAL_DOOR_LISTEN": self.door_listen,
            "AVAL_OTLP_LISTEN": self.otlp_listen,
            "AVAL_STREAMS_PER_TENANT": str(self.streams_per_tenant),
            "AVAL_KEYS": str(self.key_ring),
            "AVAL_HTTP_HOSTS": ",".join(self.http_hosts),
            "AVAL_HTTP_EDGES": ",".join(self.http_edges),
            "AVAL_HTTPS": "1" if self.https else "",
        }

    @property
    def key_ring(self) -> pathlib.Path:
        """The file of the key ring."""
        return self.keys or keyring.file_of(self.certificates, "gateway")

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a request's Host may have, in lower case and without a port."""
        return frozenset(name.lower() for name in (*LOOPBACK, self.http_listen.rsplit(":", 1)[0], *self.http_hosts))

    def only(self, part: str) -> "GatewaySettings":
        """The settings of the process that serves one part, DOOR or PAGES: they share no event loop."""
        if part == DOOR:
            return replace(self, http_listen="", otlp_listen="")
        return replace(self, door_listen="")


def _listed(text: str) -> tuple[str, ...]:
    """The names of a list such as "aval.example, www.aval.example"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
