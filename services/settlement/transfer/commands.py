"""Transfers ordered by a bank between accounts that it keeps: the hot path.

The ledger's row is the idempotency record. What the bank doesn't keep is blanked, so that the ledger
itself answers that there is no such account or hold; suspense belongs to the payments alone. A bank's ids
are its own: the ledger keeps them under others, and those that stand from before under the very ids.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2
from google.protobuf.message import Message

from chassis.command import Transaction
from chassis.errors import DomainError, InvalidFields, Problem, RequestIdReused
from chassis.identity import Caller
from ledger import store as ledger_store
from ledger.model import Result, Transfer
from ledger.store import LedgerRefused, Sitting, Verdict
from services.settlement.account import store as account_store
from services.settlement.account.model import Kind
from services.settlement.transfer import checks, rpc

LINKED = Problem(
    "transfer.linked", "LINKED_ALONE", "Send linked transfers in one batch.", "关联转账须在同一批次中发送。"
)
OTHER_ID = Problem(
    "transfer.transfer_id",
    "TRANSFER_ID_DIFFERS",
    "Leave it empty or repeat request_id.",
    "请留空或与 request_id 一致。",
)
# No account has this id; unlike an empty one it differs from an empty other side.
NOBODYS = "00000000-0000-0000-0000-000000000000"
KEEPERS_MAX = 200_000
OK = Result.OK.value
Work = tuple[Transaction, settlement_pb2.CreateTransferRequest]

# Bank and currency by account id. An id follows from its bank and currency, so neither ever changes.
_keepers: dict[str, tuple[str, str]] = {}


def _load_keepers(connection: sa.Connection, wanted: Iterable[str]) -> None:
    """Makes the keepers of these accounts known, in one query; suspense has none."""
    missing = {account for account in wanted if account not in _keepers and checks.is_uuid(account)}
    if not missing:
        return
    if len(_keepers) > KEEPERS_MAX:
        _keepers.clear()
    for account in account_store.load(connection, missing).values():
        if account.kind is not Kind.SUSPENSE:
            _keepers[account.id] = (account.bank, account.currency)


@dataclasses.dataclass(slots=True)
class Order:
    """One transfer asked for: by whom, where in its request, with the ids as given and, in `transfer`, as kept."""

    caller: Caller
    path: str
    message: settlement_pb2.Transfer
    given_id: str
    given_pending_id: str
    transfer: Transfer
    problems: list[Problem]

    @property
    def bank(self) -> str:
        """The bank that orders it."""
        return self.caller.tenant


def _order(caller: Caller, path: str, message: settlement_pb2.Transfer, identifier: str) -> Order:
    identifier, pending_id = identifier.lower(), message.pending_id.lower()
    kept = rpc.to_ledger(message, caller.kept_id(identifier), pending_id and caller.kept_id(pending_id))
    is_sound = checks.is_sound(message, identifier)
    problems = [] if is_sound else checks.malformed(message, identifier, path)
    return Order(caller, path, message, identifier, pending_id, kept, problems)


def _open(transaction: Transaction, orders: Sequence[Order]) -> Sitting:
    """Loads what the orders touch and confines each to its bank's own accounts and transfers."""
    sound = [order for order in orders if not order.problems]
    wanted = {side for o in sound for side in (o.transfer.debit_account, o.transfer.credit_account)}
    _load_keepers(transaction.connection, wanted)
    for order in sound:
        _confine_accounts(order)
    candidates = [order.transfer for order in sound] + [_as_given(order) for order in sound]
    sitting = Sitting(transaction, candidates)
    _use_standing_ids(transaction.connection, sitting, sound)
    referring = [order for order in sound if order.transfer.pending_id]
    originals = {order.transfer.pending_id: sitting.transfer(order.transfer.pending_id) for order in referring}
    _load_keepers(transaction.connection, [t.debit_account for t in originals.values() if t])
    for order in referring:
        _confine_reference(order, originals, {o.transfer.id: o.transfer for o in sound})
    return sitting


def _as_given(order: Order) -> Transfer:
    """Looks up what stands under the very ids of an order."""
    return Transfer(order.given_id, pending_id=order.given_pending_id)


def _use_standing_ids(connection: sa.Connection, sitting: Sitting, orders: Sequence[Order]) -> None:
    """Takes a transfer that the bank ordered by hand under the very id that it gave: it means that transfer."""
    named = {identifier for o in orders for identifier in (o.given_id, o.given_pending_id) if identifier}
    standing = {identifier: t for identifier in named if (t := sitting.transfer(identifier)) and t.code == rpc.CODE}
    if not standing:
        return
    _load_keepers(connection, [transfer.debit_account for transfer in standing.values()])
    keepers = {identifier: _keeper(transfer) for identifier, transfer in standing.items()}
    for order in orders:
        kept, bank = order.transfer, order.bank
        order.transfer = dataclasses.replace(
            kept,
            id=order.given_id if keepers.get(order.given_id) == bank else kept.id,
            pending_id=order.given_pending_id if keepers.get(order.given_pending_id) == bank else kept.pending_id,
        )


def _keeper(transfer: Transfer) -> str:
    """The bank whose account is debited."""
    return _keepers.get(transfer.debit_account, ("", ""))[0]


def _confine_accounts(order: Order) -> None:
    transfer, bank = order.transfer, order.bank
    debit, credit = _keepers.get(transfer.debit_account), _keepers.get(transfer.credit_account)
    if debit and credit and debit[0] == bank and credit[0] == bank:
        _check_currency(order, debit[1])
        return
    order.transfer = dataclasses.replace(
        transfer,
        debit_account=_confined(transfer.debit_account, debit, bank, NOBODYS),
        credit_account=_confined(transfer.credit_account, credit, bank, ""),
    )


def _confined(account: str, keeper: tuple[str, str] | None, bank: str, nobodys: str) -> str:
    """The account if it is the bank's, or none was named."""
    return account if not account or (keeper and keeper[0] == bank) else nobodys


def _check_currency(order: Order, currency: str) -> None:
    if order.message.amount.currency_code not in (currency, ""):
        order.problems.append(checks.currency_differs(order.path, currency))


def _confine_reference(order: Order, originals: Mapping[str, Transfer | None], fresh: Mapping[str, Transfer]) -> None:
    """Checks that the transfer it refers to was ordered by hand by the same bank, before or in this batch."""
    original = originals[order.transfer.pending_id] or fresh.get(order.transfer.pending_id)
    keeper = _keepers.get(original.debit_account) if original and original.code == rpc.CODE else None
    if keeper is None or keeper[0] != order.bank:
        order.transfer = dataclasses.replace(order.transfer, pending_id="")
    else:
        _check_currency(order, keeper[1])


def create_batch(work: Sequence[Work]) -> Sequence[Message | DomainError]:
    """Single transfers of any banks as one set-based step, each with its own outcome."""
    orders = [_single(transaction, request) for transaction, request in work]
    sitting = _open(work[0][0], orders)
    sound = [order for order in orders if not order.problems]
    sitting.attempt([order.transfer for order in sound])
    verdicts = sitting.write()
    lines = _standing(work[0][0], sound, verdicts)
    answers = iter([_answer(order, verdict, lines) for order, verdict in zip(sound, verdicts, strict=True)])
    return [InvalidFields(order.problems) if order.problems else next(answers) for order in orders]


def _single(transaction: Transaction, request: settlement_pb2.CreateTransferRequest) -> Order:
    order = _order(transaction.caller, "transfer", request.transfer, request.request_id)
    if request.transfer.linked:
        order.problems.append(LINKED)
    if request.transfer.transfer_id.lower() not in ("", order.given_id):
        order.problems.append(OTHER_ID)
    return order


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """A transfer that stands, with its place, time and booking date."""

    transfer: Transfer
    position: int
    create_us: int
    booking_date: datetime.date | None


def _standing(transaction: Transaction, orders: Sequence[Order], verdicts: Sequence[Verdict]) -> dict[str, Standing]:
    """Returns what stands of these orders by id: booked now, or from before."""
    standing = {
        key: Standing(line.transfer, line.position, line.create_us, line.transfer.booking_date)
        for key, line in _known(transaction.connection, orders, verdicts).items()
    }
    now_us, date = transaction.now_us, transaction.business_date
    for order, verdict in zip(orders, verdicts, strict=True):
        if verdict.position:
            standing[order.transfer.id] = Standing(order.transfer, verdict.position, now_us, date)
    return standing


def _known(
    connection: sa.Connection, orders: Sequence[Order], verdicts: Sequence[Verdict]
) -> dict[str, ledger_store.Line]:
    """Returns the lines of those that stood before, or earlier in this batch."""
    known = [o.transfer.id for o, v in zip(orders, verdicts, strict=True) if not v.position and v.result.stands]
    return ledger_store.stored(connection, known)


def _answer(order: Order, verdict: Verdict, lines: Mapping[str, Standing]) -> settlement_pb2.Transfer | DomainError:
    transfer = order.transfer
    # A single transfer's id is its request's.
    if verdict.result is Result.EXISTS_WITH_DIFFERENT_CONTENT:
        return RequestIdReused()
    if not verdict.result.stands:
        return LedgerRefused(result=verdict.result.value, reference=transfer.reference or order.given_id)
    line = lines[transfer.id]
    return rpc.created(order.message, line.transfer, line.position, line.create_us, line.booking_date)


def create_many(
    transaction: Transaction, request: settlement_pb2.BatchCreateTransfersRequest
) -> settlement_pb2.BatchCreateTransfersResponse:
    """Up to a thousand transfers, each with its own verdict. InvalidFields if any is malformed."""
    orders = [
        _order(transaction.caller, f"transfers[{index}]", message, message.transfer_id)
        for index, message in enumerate(request.transfers)
    ]
    sitting = _open(transaction, orders)
    if problems := [problem for order in orders for problem in order.problems]:
        raise InvalidFields(problems)
    sitting.attempt([order.transfer for order in orders])
    verdicts = sitting.write()
    lines = _known(transaction.connection, orders, verdicts)
    response = settlement_pb2.BatchCreateTransfersResponse(
        verdicts=[_verdict(o.transfer.id, v, lines) for o, v in zip(orders, verdicts, strict=True)]
    )
    transaction.append(
        "transfer_batch.applied", f"transferBatches/{request.request_id}", response, (transaction.caller.tenant,)
    )
    return response


def _verdict(
    identifier: str, verdict: Verdict, lines: Mapping[str, ledger_store.Line]
) -> settlement_pb2.TransferVerdict:
    if verdict.position:
        return settlement_pb2.TransferVerdict(result=OK, position=verdict.position)
    known = lines.get(identifier)
    return settlement_pb2.TransferVerdict(result=verdict.result.value, position=known.position if known else 0)


def expire(transaction: Transaction) -> bool:
    """Ends holds whose time is over, a batch at a time."""
    due = ledger_store.expired_holds(transaction.connection, transaction.now_us)
    if due:
        ledger_store.post(transaction, *due)
    return len(due) == ledger_store.EXPIRE_AT_ONCE
