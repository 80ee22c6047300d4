"""An account's ledger lines."""

from aval.settlement.v1 import settlement_pb2

from chassis import paging
from chassis.service import Reading
from ledger import store as ledger_store
from services.settlement.account import reads as account_reads
from services.settlement.transfer import rpc


def list_(reading: Reading, request: settlement_pb2.ListTransfersRequest) -> settlement_pb2.ListTransfersResponse:
    """Returns a page of an account's lines, newest first."""
    account = account_reads.visible(reading, request.account)
    before = paging.after_number(request)
    found = ledger_store.lines(reading.connection, account.id, before, paging.size_of(request) + 1)
    page, token = paging.cut(request, found, "position")
    views = [rpc.line(line, account.currency) for line in page]
    return settlement_pb2.ListTransfersResponse(transfers=views, next_page_token=token)
