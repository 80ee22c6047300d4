"""Makes pools, and moves them by their lists and by what is paid for these."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from aval.declarations.v1 import pool_pb2

from chassis import database, money
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.money import Money
from chassis.rpc import problem
from chassis.states import check_etag, moved
from services.declarations.assets import errors as assets_errors
from services.declarations.assets.pool import model, rpc, store
from services.declarations.assets.pool import value as pool_value
from services.declarations.assets.pool.model import Change, Member, Movement, Pool
from services.declarations.customs import modes
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.model import RetailList
from services.declarations.window.retail.summary import store as summary_store
from trade import checks as trade_checks
from trade.checks import Subject

AT_ONCE = 1000
CURRENCY_UNKNOWN = Problem(
    "pool.currency_code",
    "CURRENCY_UNKNOWN",
    "Use an ISO 4217 code, for example CNY.",
    "请使用 ISO 4217 字母代码，如 CNY。",
)
POOL = Subject("pool", "资产池")


def create(transaction: Transaction, request: pool_pb2.CreatePoolRequest) -> pool_pb2.Pool:
    """Creates a pool of the calling enterprise; its lists join from now on, the older ones by the sweep."""
    requested, now_us = request.pool, transaction.now_us
    if not money.is_currency(requested.currency_code):
        raise InvalidFields([CURRENCY_UNKNOWN])
    nothing = Money(requested.currency_code, 0)
    pool = Pool(
        id=transaction.ids.resource("pool"),
        enterprise=transaction.caller.tenant,
        display_name=requested.display_name,
        currency=requested.currency_code,
        trade_modes=tuple(requested.trade_modes),
        platform_code=requested.platform_code,
        beneficiary=requested.beneficiary,
        base=nothing,
        base_on=transaction.business_date,
        settled=nothing,
        movements=0,
        gathered="",
        state=model.State.OPEN,
        create_us=now_us,
        revision=1,
    )
    store.add(transaction, pool)
    return rpc.to_proto(pool)


def close(transaction: Transaction, request: pool_pb2.ClosePoolRequest) -> pool_pb2.Pool:
    """Ends a pool of the calling enterprise on which nothing stands. Raises PoolEncumbered, NotFound."""
    identifier, connection = request.name.removeprefix("pools/"), transaction.connection
    pool = _locked(transaction, store.load(connection, [identifier])).get(identifier)
    if pool is None or pool.enterprise != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, pool)
    moved(model.TRANSITIONS, pool, model.Verb.CLOSE)
    if encumbrance_store.holders_of(connection, [pool.name]):
        raise assets_errors.PoolEncumbered(pool=pool.name)
    totals, on = store.totals(connection, [identifier])[identifier], transaction.business_date
    step = model.closed(pool, totals, transaction.now_us, on)
    saved = store.save(transaction, step.pool, [step.movement], "pool.closed")
    pool_value.revalue(transaction, saved, step.movement.cause)
    return rpc.to_proto(saved)


def follow(transaction: Transaction, changed: Sequence[RetailList]) -> None:
    """Lets lists that changed join, count anew, or count no more, as they are in the caller's transaction.

    Another writer of such a list comes here too, and then finds the membership that this one leaves.
    """
    connection = transaction.connection
    identifiers = [retail_list.id for retail_list in changed]
    pools = store.of_enterprises(connection, {retail_list.enterprise for retail_list in changed})
    elsewhere = {member.pool for member in store.members(connection, identifiers).values()} - pools.keys()
    pools = _locked(transaction, pools | store.load(connection, elsewhere))
    if not pools:
        return
    members = store.members(connection, identifiers)
    summarised = summary_store.of_lists(connection, changed)
    changes = [
        _change(transaction, pools, retail_list, members.get(retail_list.id), retail_list.id in summarised)
        for retail_list in changed
    ]
    _move(transaction, pools, [change for change in changes if change is not None])


def _locked(transaction: Transaction, pools: Mapping[str, Pool]) -> dict[str, Pool]:
    """Locks the pools against moves and reservations. Returns them as they are then."""
    if not pools:
        return {}
    database.lock(transaction.connection, sorted(pool.name for pool in pools.values()))
    return store.load(transaction.connection, pools)


def _change(
    transaction: Transaction,
    pools: Mapping[str, Pool],
    retail_list: RetailList,
    member: Member | None,
    is_summarised: bool,
) -> Change | None:
    """Returns the change of a list's membership, None where it doesn't change."""
    pool = pools[member.pool] if member else _joined(transaction, pools, retail_list)
    if pool is None:
        return None
    on = model.terms(transaction.business_date)
    after = model.member(retail_list, member, pool, is_summarised, transaction.now_us, on)
    return None if after == member else (member, after)


def _joined(transaction: Transaction, pools: Mapping[str, Pool], retail_list: RetailList) -> Pool | None:
    """Returns the pool that a list joins now, None where there is none."""
    on = transaction.business_date
    if retail_list.status not in model.terms(on).eligibility:
        return None
    mode = modes.mode(retail_list.trade_mode, retail_list.direction, on)
    return model.choice(pools.values(), retail_list) if mode and mode.is_pooled else None


def _move(
    transaction: Transaction, pools: Mapping[str, Pool], changes: Sequence[Change], event: str = "pool.moved"
) -> dict[str, Pool]:
    """Moves the pools of these members, one step for each cause. Returns the pools as they are then."""
    by_pool: dict[str, list[Change]] = {}
    for change in changes:
        by_pool.setdefault(change[1].pool, []).append(change)
    connection = transaction.connection
    store.save_members(connection, changes)
    totals, on = store.totals(connection, by_pool), transaction.business_date
    after: dict[str, Pool] = {}
    for identifier, own in sorted(by_pool.items()):
        pool = pools[identifier]
        movements: list[Movement] = []
        for cause, alike in model.by_cause(own).items():
            step = model.moved(pool, totals[identifier], cause, alike, transaction.now_us, on)
            pool = step.pool
            movements.append(step.movement)
        store.save_totals(connection, identifier, totals[identifier])
        after[identifier] = store.save(transaction, pool, movements, event)
        pool_value.revalue(transaction, after[identifier], "+".join(movement.cause for movement in movements))
    return after


def age(transaction: Transaction) -> bool:
    """Sweeps lists that nobody paid for in time: they count no more. Returns whether there were any."""
    on = model.terms(transaction.business_date)
    due = store.aging(transaction.connection, transaction.now_us, on.eligibility, AT_ONCE)
    if not due:
        return False
    members = store.members(transaction.connection, due).values()
    _locked(transaction, store.load(transaction.connection, {member.pool for member in members}))
    follow(transaction, list(list_store.load(transaction.connection, due).values()))
    return True


def gather(transaction: Transaction) -> bool:
    """Lets lists that were released before their pool was created join it. Returns whether there was such a pool."""
    pool = store.gathering(transaction.connection, model.GATHERED)
    if pool is None:
        return False
    # Whoever brings lists now may have begun before the pool was there, and lets them join none.
    list_store.lock(transaction, [""])
    lists = store.lists_after(transaction.connection, pool.enterprise, pool.gathered, AT_ONCE)
    follow(transaction, lists)
    done = lists[-1].id if len(lists) == AT_ONCE else model.GATHERED
    store.save_gathered(transaction.connection, pool.id, done)
    return True


def settle(
    transaction: Transaction, request: pool_pb2.ApplyPoolSettlementRequest
) -> pool_pb2.ApplyPoolSettlementResponse:
    """Applies a payment company's payout for lists of a pool, each payment once. Raises NotFound, InvalidFields."""
    identifier, connection = request.pool.removeprefix("pools/"), transaction.connection
    pool = _locked(transaction, store.load(connection, [identifier])).get(identifier)
    if pool is None:
        raise NotFound(resource=request.pool)
    if response_before := store.applied(connection, identifier, request.payment):
        return pool_pb2.ApplyPoolSettlementResponse.FromString(response_before)
    _check_amounts(pool, request.receipts)
    response = _settle(transaction, pool, request)
    store.add_applied(connection, identifier, request.payment, response.SerializeToString())
    return response


def _check_amounts(pool: Pool, receipts: Sequence[pool_pb2.PoolReceipt]) -> None:
    """Checks that receipts are positive, in the pool's currency. Raises InvalidFields with all problems."""
    problems: list[Problem] = []
    for index, receipt in enumerate(receipts):
        path = f"receipts[{index}].amount"
        problems += trade_checks.in_currency(path, receipt.amount.currency_code, pool.currency, POOL)
        problems += trade_checks.positive(path, receipt.amount.minor_units)
    if problems:
        raise InvalidFields(problems)


def _settle(
    transaction: Transaction, pool: Pool, request: pool_pb2.ApplyPoolSettlementRequest
) -> pool_pb2.ApplyPoolSettlementResponse:
    connection = transaction.connection
    matched = _matched(transaction, pool, request.receipts)
    lists = {retail_list.id: retail_list for retail_list in matched.values()}
    members = store.members(connection, lists)
    paid: dict[str, int] = {}
    for index, retail_list in matched.items():
        paid[retail_list.id] = paid.get(retail_list.id, 0) + request.receipts[index].amount.minor_units
    total = Money(pool.currency, sum(paid.values()))
    settled_finance = pool_value.settle(transaction, pool, request.payment, total)
    changes = _paid_changes(transaction, pool, lists, members, paid)
    paid_pool = {pool.id: replace(pool, settled=pool.settled + total)}
    after = _move(transaction, paid_pool, changes, "pool.settled").get(pool.id, pool)
    unknown = [index for index in range(len(request.receipts)) if index not in matched]
    language = transaction.caller.language
    return pool_pb2.ApplyPoolSettlementResponse(
        applied=money.to_proto(total),
        settled_lists=sum(now.standing == model.SETTLED != (was and was.standing) for was, now in changes),
        excess=money.to_proto(Money(pool.currency, sum(map(_excess, changes)))),
        unknown=[problem(_unknown(index, request.receipts[index]), language) for index in unknown],
        unknown_amount=money.to_proto(
            Money(pool.currency, sum(request.receipts[index].amount.minor_units for index in unknown))
        ),
        settled_finance=money.to_proto(settled_finance),
        base=money.to_proto(after.base),
    )


def _matched(transaction: Transaction, pool: Pool, receipts: Sequence[pool_pb2.PoolReceipt]) -> dict[int, RetailList]:
    """Returns the list that each receipt is for, by the receipt's index. An order of several lists names none."""
    lists = store.lists_paid(
        transaction.connection,
        pool.id,
        (receipt.list_number for receipt in receipts if receipt.list_number),
        (receipt.order_number for receipt in receipts if not receipt.list_number),
    )
    by_number = {retail_list.list_number: retail_list for retail_list in lists}
    by_order: dict[tuple[str, str], list[RetailList]] = {}
    for retail_list in lists:
        by_order.setdefault((retail_list.order_number, retail_list.platform_code), []).append(retail_list)
    matched = {}
    for index, receipt in enumerate(receipts):
        fitting = (
            [by_number[receipt.list_number]]
            if receipt.list_number in by_number
            else by_order.get((receipt.order_number, receipt.platform_code), [])
        )
        if len(fitting) == 1 and (receipt.list_number in by_number or not receipt.list_number):
            matched[index] = fitting[0]
    return matched


def _paid_changes(
    transaction: Transaction,
    pool: Pool,
    lists: Mapping[str, RetailList],
    members: Mapping[str, Member],
    paid: Mapping[str, int],
) -> list[Change]:
    on = model.terms(transaction.business_date)
    summarised = summary_store.of_lists(transaction.connection, lists.values())
    changes: list[Change] = []
    for identifier, retail_list in lists.items():
        before = members[identifier]
        more = replace(before, paid_minor_units=before.paid_minor_units + paid[identifier])
        after = model.member(retail_list, more, pool, identifier in summarised, transaction.now_us, on)
        changes.append((before, after))
    return changes


def _excess(change: Change) -> int:
    """Returns how much was paid now beyond the list's value, in minor units: 20 where 30 come on 90 of 100."""
    before, after = change
    already = before.paid_minor_units if before else 0
    return max(after.paid_minor_units - max(after.value_minor_units, already), 0)


def _unknown(index: int, receipt: pool_pb2.PoolReceipt) -> Problem:
    number = receipt.list_number or f"{receipt.platform_code} {receipt.order_number}"
    return Problem(
        f"receipts[{index}]",
        "NOT_IN_POOL",
        f"No single list of this pool is {number}; apply the amount elsewhere.",
        f"该资产池中没有唯一对应 {number} 的清单；请另行入账。",
    )
