"""Compares a declaration with the manifest of its transport document: others confirm that the goods left. Pure."""

import datetime
from collections.abc import Iterator
from decimal import Decimal

from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis.errors import Problem
from services.declarations.customs.checks import decimal_or_none
from services.declarations.customs.code_tables import Row, code_table
from trade.calendars import day_in_china

REFUSED = "REFUSED"
RELEASED = "RELEASED"


def code_row(message: records_pb2.Record) -> Row:
    """Returns the row of data/manifest_codes.csv for the manifest's receipt code on the day of its notice."""
    on = day_in_china(message.notice_time.ToMicroseconds())
    row = code_table("manifest_codes").row(message.manifest.receipt_code, on)
    assert row is not None
    return row


def refusal(message: records_pb2.Record) -> Problem | None:
    """Returns the problem that the goods can't leave, where the manifest says so; None otherwise."""
    row = code_row(message)
    if row["meaning"] != REFUSED:
        return None
    return Problem(
        "bill_number",
        "MANIFEST_REFUSED",
        f"{row['english']} ({message.manifest.bill_number}); clear it with customs.",
        f"{row['chinese']}（{message.manifest.bill_number}）；请与海关处理。",
    )


def findings(
    declaration: declarations_pb2.Declaration, message: records_pb2.Record, today: datetime.date
) -> list[Problem]:
    """Returns the points in which the declaration and the manifest differ; empty where they agree.

    Weights are kilograms and may differ by terms.csv's manifest_weight_tolerance: 1000 and 1030 agree at 0.03, 1000 and
    1031 don't. Nothing is compared that one of the two doesn't say.
    """
    manifest = message.manifest
    return [
        *([refused] if (refused := refusal(message)) else _unreleased(message)),
        *_not_left(manifest),
        *_differs("bill_number", declaration.bill_number.strip().upper(), manifest.bill_number.strip().upper()),
        *_differs("transport_mode", declaration.transport_mode, manifest.transport_mode),
        *_differs("package_count", declaration.package_count or "", manifest.package_count or ""),
        *_weights(declaration, manifest, today),
    ]


def _unreleased(message: records_pb2.Record) -> Iterator[Problem]:
    row = code_row(message)
    if row["meaning"] != RELEASED:
        yield Problem(
            "bill_number",
            "MANIFEST_NOT_RELEASED",
            f"The bill isn't released yet: {row['english']}; wait for receipt 11.",
            f"提运单尚未放行：{row['chinese']}；请等待回执 11。",
        )


def _not_left(manifest: records_pb2.Manifest) -> Iterator[Problem]:
    if not manifest.HasField("departure_time"):
        yield Problem(
            "bill_number",
            "DEPARTURE_NOT_CONFIRMED",
            "The manifest doesn't say that the means of transport left; wait for its departure.",
            "舱单未显示运输工具已离境；请等待离境信息。",
        )


def _differs(field: str, declared: object, stated: object) -> Iterator[Problem]:
    if declared and stated and declared != stated:
        yield Problem(
            field,
            f"MANIFEST_{field.upper()}_DIFFERS",
            f"The declaration says {declared}, the manifest {stated}; find out which is right.",
            f"报关单为 {declared}，舱单为 {stated}；请核实。",
        )


def _weights(
    declaration: declarations_pb2.Declaration, manifest: records_pb2.Manifest, today: datetime.date
) -> Iterator[Problem]:
    declared = decimal_or_none(declaration.gross_weight_kilograms.value)
    stated = decimal_or_none(manifest.gross_weight_kilograms.value)
    tolerance = Decimal(code_table("terms").value("manifest_weight_tolerance", today))
    if declared and stated and abs(declared - stated) > declared * tolerance:
        yield from _differs("gross_weight_kilograms", f"{declared} kg", f"{stated} kg")
