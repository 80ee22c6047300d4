"""Exports the declarations that a list would show, a page at a time."""

from aval.declarations.v1 import declarations_pb2, insight_pb2

from chassis.service import Reading
from services.declarations.insight.export import model
from services.declarations.views import declarations as views_declarations
from services.declarations.window.declaration.model import Declaration

DEFAULT_SIZE = 200
Request = insight_pb2.ExportDeclarationsRequest


def export(reading: Reading, request: insight_pb2.ExportDeclarationsRequest) -> insight_pb2.ExportDeclarationsResponse:
    """Returns a page of rows, or of a CSV file whose heads are on the first page."""
    request.page_size = request.page_size or DEFAULT_SIZE
    page, token = views_declarations.page_of(reading, request, "ExportDeclarations")
    rows = [row for declaration in page for row in model.lines(_parsed(declaration), declaration.status)]
    response = insight_pb2.ExportDeclarationsResponse(next_page_token=token, declarations=len(page))
    if request.format == Request.CSV:
        # Programs read this: the heads are the fields' names in every language.
        response.csv = model.to_csv(rows, () if request.page_token else model.COLUMNS)
    else:
        response.lines.extend(rows)
    return response


def _parsed(declaration: Declaration) -> declarations_pb2.Declaration:
    return declarations_pb2.Declaration.FromString(declaration.body)
