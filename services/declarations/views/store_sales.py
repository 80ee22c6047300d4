"""Records sales of bonded goods in a store."""

from aval.declarations.v1 import retail_list_pb2, retail_pb2

from chassis.command import Transaction
from chassis.errors import NotFound
from services.declarations.assets import errors as assets_errors
from services.declarations.customs import modes
from services.declarations.register.sale import store as sale_store
from services.declarations.views import lists as views_lists
from services.declarations.window.retail.list import store as list_store


def report_store_sale(
    transaction: Transaction, request: retail_list_pb2.ReportStoreSaleRequest
) -> retail_pb2.RetailList:
    """Records that bonded goods were sold in a store, once: their duty is due from then on.

    Raises NotFound, NotBondedGoods, StoreSaleKnown.
    """
    requested, connection = request.store_sale, transaction.connection
    identifier = requested.retail_list.removeprefix("retailLists/")
    retail_list = list_store.load(connection, [identifier]).get(identifier)
    if retail_list is None or retail_list.enterprise != transaction.caller.tenant:
        raise NotFound(resource=requested.retail_list)
    mode = modes.mode(retail_list.trade_mode, retail_list.direction, transaction.business_date)
    if mode is None or not mode.is_bonded_import:
        raise assets_errors.NotBondedGoods(list=retail_list.name)
    if identifier in sale_store.store_sale(connection, [identifier]):
        raise assets_errors.StoreSaleKnown(list=retail_list.name)
    handover = retail_list_pb2.StoreSale.Handover.Name(requested.handover)
    sale_store.add_store_sale(connection, identifier, requested.store, handover, requested.sale_time.ToMicroseconds())
    message = views_lists.views(connection, [retail_list], transaction.caller.language)[0]
    transaction.append("retail_list.sold_in_store", retail_list.name, message, [retail_list.enterprise])
    return message
