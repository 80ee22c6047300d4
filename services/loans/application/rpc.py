"""Applications on the wire: a bank sees itself among the banks and no other."""

from aval.loans.v1 import loans_pb2

from chassis import wire
from services.loans.application.model import Application
from services.loans.products import INSURED_RECEIVABLE


def opened(message: loans_pb2.Application, *, identifier: str, enterprise: str, now_us: int) -> Application:
    """Returns the application that an exporter makes by a message."""
    return wire.read(
        Application,
        message,
        id=identifier,
        enterprise=enterprise,
        product=INSURED_RECEIVABLE,
        create_us=now_us,
    )


def to_proto(application: Application, viewer: str) -> loans_pb2.Application:
    """Returns the wire form as a tenant sees it."""
    return wire.fill(loans_pb2.Application, application, banks=application.banks_seen_by(viewer))
