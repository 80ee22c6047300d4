"""Reads reports for the documents that they are told with."""

from collections.abc import Collection

from aval.declarations.v1 import retail_pb2

from chassis.service import Reading
from services.declarations.privacy.consent import access
from services.declarations.window.retail.report import store


def told(reading: Reading, subjects: Collection[str]) -> list[retail_pb2.RetailReport]:
    """Returns the newest reports of these subjects, newest first; institutions get no words that may name persons."""
    reports = store.of_subjects(reading.connection, {subject for subject in subjects if subject})
    messages = [retail_pb2.RetailReport.FromString(report.body) for report in reports]
    if access.is_institution(reading.caller):
        for message in messages:
            message.ClearField("note")
    return messages
