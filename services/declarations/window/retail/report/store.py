"""Reports as rows: the only SQL of this room."""

from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from chassis import bulk, records
from services.declarations.schema import metadata
from services.declarations.window.retail.report.model import Report

# Answers of customs and reports of others, by the document that they are about.
retail_reports = records.table(
    "retail_reports",
    Report,
    metadata,
    sa.Index("retail_reports_subject", "subject", "notice_us"),
    sa.Index("retail_reports_summary_number", "summary_number"),
)


# The number of reports that are told with one document.
TOLD_MOST = 100


def known(connection: sa.Connection, identifiers: Iterable[str]) -> set[str]:
    """Returns the ids of those reports that have come."""
    query = sa.select(retail_reports.c.id).where(bulk.among(connection, retail_reports.c.id, identifiers))
    return set(connection.execute(query).scalars())


def add(connection: sa.Connection, added: Sequence[Report]) -> None:
    """Adds new reports; one that another writer brought meanwhile stays."""
    bulk.add(connection, retail_reports, [list(records.to_row(report).values()) for report in added])


def of_subjects(connection: sa.Connection, subjects: Collection[str]) -> list[Report]:
    """Returns the reports of these documents, the newest first."""
    rows = retail_reports.c
    query = sa.select(retail_reports).where(bulk.among(connection, rows.subject, subjects))
    query = query.order_by(rows.notice_us.desc(), rows.id).limit(TOLD_MOST)
    return records.many(connection, query, Report)


def summaries_numbered(connection: sa.Connection, summary_numbers: Iterable[str]) -> set[str]:
    """Returns the summaries, by id, that have one of customs' numbers by their receipts."""
    rows = retail_reports.c
    meant = bulk.among(
        connection, rows.summary_number, {summary_number for summary_number in summary_numbers if summary_number}
    )
    subjects = connection.execute(sa.select(rows.subject).distinct().where(meant)).scalars()
    return {subject.removeprefix("retailSummaries/") for subject in subjects if subject.startswith("retailSummaries/")}


def summary_numbers(connection: sa.Connection, summaries: Iterable[str]) -> dict[str, list[str]]:
    """Returns customs' numbers of these summaries, by id, the newest first."""
    rows = retail_reports.c
    subjects = [f"retailSummaries/{summary}" for summary in summaries]
    query = sa.select(rows.subject, rows.summary_number, sa.func.max(rows.notice_us).label("newest"))
    query = query.where(bulk.among(connection, rows.subject, subjects), rows.summary_number != "")
    query = query.group_by(rows.subject, rows.summary_number).order_by(sa.desc("newest"), rows.summary_number)
    by_summary: dict[str, list[str]] = {}
    for row in connection.execute(query):
        by_summary.setdefault(row.subject.removeprefix("retailSummaries/"), []).append(row.summary_number)
    return by_summary
