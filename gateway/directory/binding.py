"""The one act that a one-time code is for: a method with the content of one valid request."""

import hashlib

from google.protobuf.message import Message

from chassis import fields
from chassis.contracts import contract


def bound_to(service: str, method: str, request: Message) -> str:
    """Returns the full name of the method and the SHA-256 of the request's content, its request id among it.

    Raises InvalidFields if the service would refuse the request whatever the code is: then no code is used up for it.
    For example "aval.loans.v1.LoansService.AcceptOffer 9f86d08188…"; the same request again gives the same text.
    """
    fields.check(request)
    content = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
    return f"{contract(service).method(method).full_name} {content}"
