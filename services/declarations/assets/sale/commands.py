"""Records sales: inventory abroad becomes a receivable, bonded goods owe their duty."""

from aval.declarations.v1 import retail_list_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields
from chassis.service import Reading
from services.declarations.assets import errors as assets_errors
from services.declarations.assets.sale import value as sale_value
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.register.sale import model as sale_model
from services.declarations.register.sale import store as sale_store
from services.declarations.register.sale.model import WarehouseSale
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Declaration
from trade import checks as trade_checks
from trade.checks import Subject

DECLARATION = Subject("declaration", "报关单")


def report_warehouse_sale(
    transaction: Transaction, request: retail_list_pb2.ReportWarehouseSaleRequest
) -> retail_list_pb2.WarehouseSale:
    """Records a sale out of an overseas warehouse, once. Raises WarehouseSaleKnown for other content."""
    requested = request.warehouse_sale
    number = requested.declaration.removeprefix("declarations/")
    declaration = declaration_store.load(transaction.connection, [number]).get(number)
    if declaration is None or declaration.enterprise != transaction.caller.tenant:
        raise privacy_errors.DeclarationNotFound(declaration=requested.declaration)
    if declaration.trade_mode != sale_model.WAREHOUSE_MODE:
        raise assets_errors.NotWarehouseGoods(declaration=declaration.name)
    sale = _asked(transaction, declaration, requested)
    if standing := sale_store.load(transaction.connection, [sale.id]).get(sale.id):
        if (standing.amount, standing.sale_us) != (sale.amount, sale.sale_us):
            raise assets_errors.WarehouseSaleKnown(sale=standing.name)
        return to_proto(standing)
    sale_store.add(transaction.connection, sale)
    message = to_proto(sale)
    transaction.append("warehouse_sale.reported", sale.name, message, [sale.enterprise])
    return message


def _asked(
    transaction: Transaction, declaration: Declaration, requested: retail_list_pb2.WarehouseSale
) -> WarehouseSale:
    amount, currency = money.from_proto(requested.amount), declaration.value.currency
    problems = [
        *trade_checks.in_currency("warehouse_sale.amount", amount.currency, currency, DECLARATION),
        *trade_checks.positive("warehouse_sale.amount", amount.minor_units),
    ]
    if problems:
        raise InvalidFields(problems)
    sale_value.book(transaction, declaration)
    left = sale_value.unclaimed(transaction, declaration)
    sold = sale_store.sold(transaction.connection, [declaration.id]).get(declaration.id, left.zero())
    return WarehouseSale(
        id=sale_model.sale_id(declaration.id, requested.sale_number),
        declaration=declaration.id,
        sale_number=requested.sale_number,
        enterprise=declaration.enterprise,
        amount=amount,
        value=sale_model.value_of(amount, left, sold),
        sale_us=requested.sale_time.ToMicroseconds(),
        create_us=transaction.now_us,
    )


def to_proto(sale: WarehouseSale) -> retail_list_pb2.WarehouseSale:
    """Returns the sale on the wire."""
    message = retail_list_pb2.WarehouseSale(
        name=sale.name,
        declaration=f"declarations/{sale.declaration}",
        sale_number=sale.sale_number,
        amount=money.to_proto(sale.amount),
        enterprise=sale.enterprise,
        value=money.to_proto(sale.value),
    )
    message.sale_time.FromMicroseconds(sale.sale_us)
    return message


def get(reading: Reading, request: retail_list_pb2.GetWarehouseSaleRequest) -> retail_list_pb2.WarehouseSale:
    """Returns a sale. Whoever may not see it can't tell it from one that doesn't exist."""
    identifier = request.name.removeprefix("warehouseSales/")
    sale = sale_store.load(reading.connection, [identifier]).get(identifier)
    access.look(reading, sale.enterprise if sale else "", "GetWarehouseSale", request.name)
    assert sale is not None
    return to_proto(sale)
