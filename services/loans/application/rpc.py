"""Applications on the wire: a bank sees itself among the banks and no other."""

from aval.loans.v1 import loans_pb2

from chassis import money
from services.loans.application.model import Application, State
from services.loans.products import INSURED_RECEIVABLE


def asked(message: loans_pb2.Application, *, identifier: str, enterprise: str, now_us: int) -> Application:
    """Returns the application that an exporter's message asks for."""
    return Application(
        id=identifier,
        enterprise=enterprise,
        product=INSURED_RECEIVABLE,
        declarations=tuple(message.declarations),
        amount=money.from_proto(message.amount),
        tenor_days=message.tenor_days,
        banks=tuple(message.banks),
        state=State.OPEN,
        revision=1,
        create_us=now_us,
    )


def to_proto(application: Application, viewer: str) -> loans_pb2.Application:
    """Returns the wire form as a tenant sees it."""
    message = loans_pb2.Application(
        name=application.name,
        enterprise=application.enterprise,
        product=application.product,
        declarations=application.declarations,
        amount=money.to_proto(application.amount),
        tenor_days=application.tenor_days,
        banks=application.banks_seen_by(viewer),
        state=application.state.value,
        etag=str(application.revision),
    )
    message.create_time.FromMicroseconds(application.create_us)
    return message
