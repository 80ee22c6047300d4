"""Drafts on the wire, and the declarations that they become."""

from aval.declarations.v1 import declarations_pb2, personal_pb2

from chassis.rpc import problem
from services.declarations.window.declaration import rpc as declaration_rpc
from services.declarations.window.declaration.model import Content
from services.declarations.window.draft.model import Draft, waits_for


def to_proto(draft: Draft, language: str = "en") -> declarations_pb2.Draft:
    """Returns the draft as its enterprise and the window see it."""
    message = declarations_pb2.Draft(
        name=draft.name,
        state=draft.state.value,
        enterprise=draft.enterprise,
        client_number=draft.client_number,
        unified_number=draft.unified_number,
        direction=draft.direction or None,
        content=declarations_pb2.Declaration.FromString(draft.body),
        declaration=f"declarations/{draft.declaration}" if draft.declaration else "",
        etag=str(draft.revision),
    )
    message.create_time.FromMicroseconds(draft.create_us)
    if draft.sign_us:
        message.sign_time.FromMicroseconds(draft.sign_us)
    if wait := waits_for(draft.wait):
        message.waits_for.CopyFrom(problem(wait, language))
    return message


def content_of(draft: Draft, persons: personal_pb2.PersonalData) -> Content:
    """Returns a draft's content as the declaration that it became."""
    message = declarations_pb2.Declaration.FromString(draft.body)
    message.declaration_number = draft.declaration
    message.unified_number = message.unified_number or draft.unified_number
    message.persons.extend(persons.persons)
    return declaration_rpc.content_of(message)
