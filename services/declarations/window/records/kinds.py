"""The kinds of records as a table: natural key, what each is about, who writes it, what it must keep. Pure.

A kind's name is the name of Record's content field. Each field has one writer: a kind is written by the window or
by the exporter it belongs to, never by both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import records_pb2

from chassis.errors import Problem
from services.declarations.customs.checks import decimal_or_none
from services.declarations.customs.code_tables import code_table
from services.declarations.privacy.callers import WINDOW
from services.declarations.window.records import model, values
from trade import checks as trade_checks
from trade.calendars import day_in_china
from trade.identifiers import is_social_credit_code

EXPORTER = "EXPORTER"
Row = records_pb2.Record


@dataclass(frozen=True, slots=True)
class Kind:
    """`key` and `check` get the whole row, `subjects` its content; `needs` are fields of the row."""

    key: Callable[[Any], tuple[str, ...]]
    subjects: Callable[[Any], Iterable[str]] = lambda _content: ()
    check: Callable[[Any], Iterable[Problem]] = lambda _row: ()
    needs: tuple[str, ...] = ()
    writer: str = WINDOW
    # Everybody may read it.
    is_public: bool = False
    # What it says once stays.
    is_final: bool = False


def document(bill_number: str) -> str:
    """A transport document as a subject: letters in capitals, nothing around it."""
    return f"transportDocuments/{bill_number.strip().upper()}"


def invoice(number: str) -> str:
    """A commercial invoice as a subject."""
    return f"invoices/{number.strip().upper()}"


def customs_code(code: str) -> str:
    """An enterprise's customs registration code as a subject."""
    return f"customsCodes/{code}"


def port_charge(port: str, charge_code: str) -> str:
    """A charge of a port as a subject."""
    return f"portCharges/{port}/{charge_code}"


def late_fee_of(bill_number: str) -> str:
    """The late fee of a bill, by its number, as a subject."""
    return f"lateFees/{bill_number}"


def _of_bill(content: records_pb2.Bill) -> tuple[str, ...]:
    return (late_fee_of(content.overdue_bill_number),) if content.overdue_bill_number else ()


def _of_document(content: Any) -> tuple[str, ...]:
    return (document(content.bill_number),)


def _of_mirror(content: records_pb2.MirrorDeclaration) -> tuple[str, ...]:
    named = ((document, content.bill_number), (invoice, content.invoice_number))
    return tuple(subject(number) for subject, number in named if number)


def kind_of(row: Row) -> str:
    """The kind's name; empty where the row has no content."""
    return row.WhichOneof("content") or ""


def content_of(row: Row) -> Any:
    """What the row says, without who it is about."""
    return getattr(row, kind_of(row))


def identifier(row: Row) -> str:
    """The id of the record that a row is a version of."""
    return model.identifier(kind_of(row), *KINDS[kind_of(row)].key(row))


def subjects(row: Row) -> list[str]:
    """What else the row is about, besides its enterprise and its declaration."""
    return sorted(set(KINDS[kind_of(row)].subjects(content_of(row))))


def problems(row: Row) -> list[Problem]:
    """Every broken business rule of a row that keeps the field rules."""
    kind = KINDS[kind_of(row)]
    broken = list(values.problems(row, ""))
    return [*broken, *_needs(row, kind), *(kind.check(row) if not broken else ())]


def _needs(row: Row, kind: Kind) -> Iterator[Problem]:
    for field in kind.needs:
        if not getattr(row, field):
            english, chinese = f"A {kind_of(row)} needs its {field}; fill it in.", f"该记录须填写 {field}。"
            yield Problem(field, f"{field.upper()}_MISSING", english, chinese)


def _unless(is_right: bool, path: str, reason: str, english: str, chinese: str) -> Iterator[Problem]:
    if not is_right:
        yield Problem(path, reason, english, chinese)


def _check_registration(row: Row) -> Iterator[Problem]:
    code = row.enterprise_registration.social_credit_code
    yield from _unless(
        is_social_credit_code(code),
        "enterprise_registration.social_credit_code",
        "SOCIAL_CREDIT_CODE_INVALID",
        "The social credit code fails its check; copy it from the business licence.",
        "统一社会信用代码校验不通过；请按营业执照填写。",
    )
    yield from _unless(
        row.enterprise in ("", f"enterprises/{code}"),
        "enterprise",
        "ENTERPRISE_DIFFERS",
        "The enterprise is another than the one that is registered; leave it empty.",
        "企业与登记的企业不一致；请留空。",
    )


def _known_code(table: str, code: str, row: Row, path: str, what: tuple[str, str]) -> Iterator[Problem]:
    on = day_in_china(row.notice_time.ToMicroseconds())
    yield from _unless(
        code_table(table).row(code, on) is not None,
        path,
        "CODE_UNKNOWN",
        f"{code.split()[-1]} is no {what[0]}; check the code.",
        f"{code.split()[-1]} 不是有效的{what[1]}；请核对代码。",
    )


def _check_manifest(row: Row) -> Iterator[Problem]:
    what = ("manifest receipt code", "舱单回执代码")
    yield from _known_code("manifest_codes", row.manifest.receipt_code, row, "manifest.receipt_code", what)


def _check_permit(row: Row) -> Iterator[Problem]:
    what = ("permit kind", "监管证件代码")
    yield from _known_code("permit_kinds", row.permit.permit_kind, row, "permit.permit_kind", what)


def _check_bill(row: Row) -> Iterator[Problem]:
    bill = row.bill
    yield from trade_checks.positive("bill.amount", bill.amount.minor_units)
    yield from _unless(
        bill.payee != row.enterprise,
        "bill.payee",
        "PAYEE_IS_PAYER",
        "The enterprise can't owe a bill to itself; name who is paid, or whose bill it is.",
        "付款企业与收款人相同；请更正收款人或付款企业。",
    )
    yield from _unless(
        bill.HasField("due_date") == (bill.term == records_pb2.Bill.STATED),
        "bill.due_date",
        "DUE_DATE_DOESNT_FIT",
        "State the due date of a STATED term only; the others follow from the day of issue.",
        "仅 STATED 类付款期限须填写到期日；其他由签发日推算。",
    )
    yield from _unless(
        bill.kind == records_pb2.Bill.LATE_FEE or not bill.overdue_bill_number,
        "bill.overdue_bill_number",
        "OVERDUE_BILL_DOESNT_FIT",
        "Name the overdue bill in a bill of a late fee only.",
        "仅滞纳金账单可填写逾期账单编号。",
    )
    yield from _unless(
        bill.kind == records_pb2.Bill.PORT_CHARGE or not bill.charges,
        "bill.charges",
        "CHARGES_DONT_FIT",
        "Itemise port charges only.",
        "仅港口收费账单可列明收费项目。",
    )
    yield from _unless(
        all(charge.amount.currency_code == bill.amount.currency_code for charge in bill.charges),
        "bill.charges",
        "SEVERAL_CURRENCIES",
        "The charges are in another currency than the amount; use one.",
        "收费项目与账单金额币制不一致；请使用同一币制。",
    )


def _check_rebate(row: Row) -> Iterator[Problem]:
    rebate = row.rebate_status
    yield from _unless(
        rebate.expected_amount.currency_code == "CNY",
        "rebate_status.expected_amount",
        "CURRENCY_DIFFERS",
        "Rebates are in yuan; use CNY.",
        "出口退税以人民币计；请使用 CNY。",
    )
    yield from _unless(
        rebate.paid_amount.currency_code in ("", "CNY"),
        "rebate_status.paid_amount",
        "CURRENCY_DIFFERS",
        "Rebates are in yuan; use CNY.",
        "出口退税以人民币计；请使用 CNY。",
    )
    yield from _unless(
        bool(row.declaration) != bool(rebate.period),
        "rebate_status.period",
        "DECLARATION_OR_PERIOD",
        "Name either the declaration or the tax period that the rebate is for.",
        "请填写退税对应的报关单或所属期，二者只能填一项。",
    )
    yield from _unless(
        rebate.HasField("paid_amount") == (rebate.state == records_pb2.RebateStatus.PAID),
        "rebate_status.paid_amount",
        "PAID_AMOUNT_DOESNT_FIT",
        "Say what was paid once the rebate is PAID, and not before.",
        "退税状态为 PAID 时须填写已退税额，此前不得填写。",
    )


def _check_milestone(row: Row) -> Iterator[Problem]:
    code = f"{row.milestone.transport_mode} {row.milestone.code}"
    yield from _known_code(
        "milestone_codes", code, row, "milestone.code", ("milestone of this transport mode", "该运输方式的节点代码")
    )


def _check_country(row: Row) -> Iterator[Problem]:
    yield from _known_code(
        "countries", content_of(row).country, row, f"{kind_of(row)}.country", ("country code", "国别（地区）代码")
    )


def _check_movement(row: Row) -> Iterator[Problem]:
    movement = row.stock_movement
    yield from _unless(
        bool(decimal_or_none(movement.quantity.value)),
        "stock_movement.quantity",
        "QUANTITY_NOT_POSITIVE",
        "Give a positive quantity.",
        "数量须为正数。",
    )
    yield from _unless(
        bool(row.declaration) or movement.kind != records_pb2.StockMovement.INBOUND,
        "declaration",
        "DECLARATION_MISSING",
        "Goods come in by a declaration; name it.",
        "入库须对应报关单；请填写。",
    )
    yield from _unless(
        bool(movement.sale_number) == (movement.kind == records_pb2.StockMovement.SOLD),
        "stock_movement.sale_number",
        "SALE_NUMBER_DOESNT_FIT",
        "Name the sale that goods went out for, and none where they weren't sold; report its amount as the sale.",
        "销售出库须填写销售编号，其他情形不得填写；金额请通过海外仓销售申报。",
    )


def _check_hold(row: Row) -> Iterator[Problem]:
    yield from _unless(
        bool(row.declaration or row.enterprise),
        "declaration",
        "HOLD_WITHOUT_SUBJECT",
        "Name the declaration that is held, or the enterprise whose goods are.",
        "请填写被扣留的报关单，或其货物被扣留的企业。",
    )


def _check_return(row: Row) -> Iterator[Problem]:
    yield from trade_checks.positive("goods_return.amount", row.goods_return.amount.minor_units)


def _check_title(row: Row) -> Iterator[Problem]:
    event, verb = row.title_control, records_pb2.TitleControl
    needs_holder = event.verb in (verb.ISSUE, verb.TRANSFER)
    yield from _unless(
        bool(event.holder) or not needs_holder,
        "title_control.holder",
        "HOLDER_MISSING",
        "Say who has control afterwards.",
        "请填写此后控制提单的一方。",
    )
    yield from _unless(
        bool(event.from_holder) or event.verb == verb.ISSUE,
        "title_control.from_holder",
        "HOLDER_MISSING",
        "Say who had control before.",
        "请填写此前控制提单的一方。",
    )


def _iso(day: Any) -> str:
    # Never refuses: what is no day is told by the checks.
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


KINDS: Mapping[str, Kind] = {
    "enterprise_registration": Kind(
        key=lambda row: (row.enterprise_registration.social_credit_code,),
        subjects=lambda content: (customs_code(content.customs_code),),
        check=_check_registration,
    ),
    "manifest": Kind(
        key=lambda row: (document(row.manifest.bill_number),), subjects=_of_document, check=_check_manifest
    ),
    "permit": Kind(
        key=lambda row: (row.permit.permit_kind, row.permit.permit_number), check=_check_permit, needs=("enterprise",)
    ),
    "bill": Kind(
        key=lambda row: (str(row.bill.kind), row.bill.bill_number),
        subjects=_of_bill,
        check=_check_bill,
        needs=("enterprise",),
    ),
    "port_tariff": Kind(
        key=lambda row: (row.port_tariff.port, row.port_tariff.charge_code, _iso(row.port_tariff.valid_from)),
        subjects=lambda content: (f"ports/{content.port}", port_charge(content.port, content.charge_code)),
        is_public=True,
    ),
    "rebate_status": Kind(
        key=lambda row: (row.rebate_status.application_number,), check=_check_rebate, needs=("enterprise",)
    ),
    "milestone": Kind(
        key=lambda row: (document(row.milestone.bill_number), row.milestone.code, row.milestone.location),
        subjects=_of_document,
        check=_check_milestone,
    ),
    "overseas_warehouse": Kind(
        key=lambda row: (row.enterprise, row.overseas_warehouse.warehouse_code),
        subjects=lambda content: (f"warehouses/{content.warehouse_code}",),
        check=_check_country,
        needs=("enterprise",),
        writer=EXPORTER,
    ),
    "stock_movement": Kind(
        key=lambda row: (row.enterprise, row.stock_movement.warehouse_code, row.stock_movement.movement_number),
        subjects=lambda content: (f"warehouses/{content.warehouse_code}",),
        check=_check_movement,
        needs=("enterprise",),
        writer=EXPORTER,
    ),
    "hold": Kind(key=lambda row: (row.hold.authority, row.hold.hold_number), check=_check_hold),
    "mirror_declaration": Kind(
        key=lambda row: (row.mirror_declaration.country, row.mirror_declaration.foreign_number),
        subjects=_of_mirror,
        check=_check_country,
    ),
    "title_control": Kind(
        key=lambda row: (row.title_control.platform, row.title_control.event_number),
        subjects=_of_document,
        check=_check_title,
    ),
    "goods_return": Kind(
        key=lambda row: (row.goods_return.return_declaration_number, row.declaration),
        check=_check_return,
        needs=("declaration",),
        is_final=True,
    ),
}
