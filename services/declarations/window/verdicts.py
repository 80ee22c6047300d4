"""Builds the verdicts on documents and rows, on the wire."""

from collections.abc import Iterable

from aval.declarations.v1 import declarations_pb2

from chassis.errors import Problem
from chassis.rpc import problem

Verdict = declarations_pb2.IntakeVerdict


def accepted(document_id: str, resource: str = "") -> declarations_pb2.IntakeVerdict:
    """Returns the verdict on a document that was taken in."""
    return Verdict(document_id=document_id, outcome=Verdict.ACCEPTED, resource=resource)


def duplicate(document_id: str, resource: str = "") -> declarations_pb2.IntakeVerdict:
    """Returns the verdict on a document that is stored already."""
    return Verdict(document_id=document_id, outcome=Verdict.DUPLICATE, resource=resource)


def refused(document_id: str, problems: Iterable[Problem], language: str) -> declarations_pb2.IntakeVerdict:
    """Returns the verdict on a document that wasn't taken, with all its problems."""
    messages = [problem(cause, language) for cause in problems]
    return Verdict(document_id=document_id, outcome=Verdict.REFUSED, problems=messages)
