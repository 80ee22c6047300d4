"""Whether this process serves, for those who start and stop processes: `python -m chassis.probe ADDRESS NAME`.

Asks the health service at host:port with the certificate NAME of AVAL_CERTIFICATES, since every port
wants one. Exit status 0 when it serves, 1 when it doesn't.
"""

import os
import pathlib
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.certificates import Credentials
from chassis.channel import channel_credentials, options_for

SECONDS = 3.0


def serves(address: str, credentials: Credentials) -> bool:
    """Whether the server at an address is the certificate's own process and says that it serves."""
    with grpc.secure_channel(address, channel_credentials(credentials), options_for(credentials.name)) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main(address: str, name: str) -> None:
    """Asks by arguments and environment, and exits."""
    credentials = Credentials.load(pathlib.Path(os.environ["AVAL_CERTIFICATES"]), name)
    sys.exit(0 if serves(address, credentials) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
