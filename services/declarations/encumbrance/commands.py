"""Reserve, confirm, release, reduce, expire, and applying what the buyer paid: the register's protocol."""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf.message import Message

from chassis import database, money
from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from chassis.errors import DomainError, InvalidFields, NotFound, NothingPrepared, Problem, SamePerson
from chassis.money import Money
from chassis.rpc import problem
from chassis.states import check_etag, moved
from ledger import store as ledger
from ledger.model import Transfer
from services.declarations import errors, terms
from services.declarations.breach import register as breaches
from services.declarations.breach import store as breach_rows
from services.declarations.consent import access
from services.declarations.consent import store as consents
from services.declarations.consent.access import Seen
from services.declarations.consent.model import Given, Purpose
from services.declarations.declaration import model as declaration_model
from services.declarations.declaration import rpc as declaration_rpc
from services.declarations.declaration import store as declaration_store
from services.declarations.encumbrance import ending, model, rpc, store
from services.declarations.encumbrance.model import (
    TRANSITIONS,
    Encumbrance,
    Item,
    Reduced,
    Reduction,
    Standing,
    State,
    Verb,
)
from services.declarations.preshipment import netting
from services.declarations.retail.sale import store as sales
from services.declarations.value import freezing, kinds
from services.declarations.value import model as value_model
from services.declarations.value import store as values
from services.declarations.value.books import Books
from services.declarations.value.model import SIDES, Asset, AssetClass, part_id

EXPIRE_AT_ONCE = 200
SYSTEM = "BANK_SYSTEM"
# The kinds of asset that cover may stand on: goods that were sold.
INSURABLE = frozenset({"declarations", "warehouseSales"})
# What the enterprise must have consented to.
PURPOSES = {AssetClass.RECEIVABLE: Purpose.FINANCING, AssetClass.INSURANCE: Purpose.INSURANCE}
# Its lists are paid one by one, and each is paid more than it added to the base: nothing of that is the pool's excess.
POOLS = "pools"
PAID_NEGATIVE = Problem(
    "amount", "AMOUNT_NEGATIVE", "Apply what was paid; a refund is no payment.", "请填写实际收款金额；退款不属于收款。"
)
Work = tuple[Transaction, declarations_pb2.ReserveEncumbranceRequest]


@dataclass(slots=True)
class Register:
    """What a batch of reservations is judged on, kept up as they are decided."""

    assets: Mapping[str, Asset]
    frozen: Mapping[str, Sequence[str]]
    consents: Given
    encumbrances: dict[str, Encumbrance]
    standing: dict[str, set[Standing]]
    sitting: ledger.Sitting
    # Each newly granted one, with the number of its first hold within the sitting.
    granted: list[tuple[Transaction, Encumbrance, int]] = field(default_factory=list)
    disclosed: list[tuple[Transaction, Seen]] = field(default_factory=list)

    def grant(self, transaction: Transaction, encumbrance: Encumbrance) -> None:
        """One more stands; its holds were the last that were attempted."""
        first_hold = self.sitting.attempted - len(encumbrance.items)
        self.granted.append((transaction, encumbrance, first_hold))
        self.encumbrances[encumbrance.id] = encumbrance
        held = Standing(encumbrance.asset_class, encumbrance.holder, encumbrance.pari_passu)
        for item in encumbrance.items:
            self.standing.setdefault(item.asset, set()).add(held)

    def store(self) -> dict[str, Encumbrance]:
        """Writes the holds and what was granted, fenced by the ledger's positions; by id."""
        verdicts = self.sitting.write()
        stored = {}
        for transaction, encumbrance, first_hold in self.granted:
            fenced = dataclasses.replace(encumbrance, fencing_number=verdicts[first_hold].position)
            stored[fenced.id] = fenced
            store.tell(transaction, fenced, "encumbrance.reserved")
        if self.granted:
            store.add(self.granted[0][0], *stored.values())
        access.note([(transaction, [seen]) for transaction, seen in self.disclosed])
        return stored


def reserve_batch(work: Sequence[Work]) -> Sequence[Message | DomainError]:
    """Reservations in arrival order as one set-based step; each is judged on those before it."""
    asked = _all_asked(work)
    register = _load(work[0][0], asked)
    outcomes = [
        _decide(transaction, register, encumbrance) for (transaction, _), encumbrance in zip(work, asked, strict=True)
    ]
    stored = register.store()
    return [
        outcome if isinstance(outcome, DomainError) else rpc.to_proto(stored.get(outcome.id, outcome))
        for outcome in outcomes
    ]


def _all_asked(work: Sequence[Work]) -> list[Encumbrance]:
    """What the requests ask for. An outsider's encumbrance from before ids had owners goes on under its very id."""
    outside = [(transaction, request) for transaction, request in work if not transaction.caller.service]
    plain = store.load(work[0][0].connection, {request.encumbrance_id for _, request in outside}) if outside else {}
    found = []
    for transaction, request in work:
        asked, standing = _asked(transaction, request), plain.get(request.encumbrance_id)
        is_own = standing is not None and standing.holder == asked.holder
        found.append(dataclasses.replace(asked, id=request.encumbrance_id) if is_own else asked)
    return found


def _asked(transaction: Transaction, request: declarations_pb2.ReserveEncumbranceRequest) -> Encumbrance:
    today = transaction.business_date
    seconds = terms.reserve_seconds(request.reserve_duration.seconds, today)
    expire_us = transaction.now_us + seconds * MICROSECONDS
    return rpc.asked(request, transaction.caller, transaction.now_us, expire_us)


def _load(transaction: Transaction, asked: Sequence[Encumbrance]) -> Register:
    connection, now_us = transaction.connection, transaction.now_us
    names = {name for one in asked for name in one.assets}
    assets = kinds.load(connection, names, now_us)
    given = consents.given(connection, {asset.enterprise for asset in assets.values()}, now_us)
    # Who may not see an asset changes nothing of it, and can't tell by the time it takes that it exists.
    seen = {name: assets[name] for one in asked for name in one.assets if _may_hold(given, one, assets.get(name))}
    netting.link_fresh(transaction, values.open(transaction, seen.values()))
    candidates: list[Transfer] = []
    for one in asked:
        candidates += model.reserve_transfers(one, transaction.now_us)
    sitting = ledger.Sitting(transaction, candidates)
    return Register(
        assets,
        values.frozen(connection, names),
        given,
        store.load(connection, [one.id for one in asked]),
        netting.holders_of(connection, names),
        sitting,
    )


def _decide(transaction: Transaction, register: Register, asked: Encumbrance) -> Encumbrance | DomainError:
    """The encumbrance as it stands, or why it is refused."""
    try:
        if known := register.encumbrances.get(asked.id):
            return _same(known, asked)
        assets = _visible(transaction, register, asked)
        encumbrance = _converted(transaction, dataclasses.replace(asked, enterprise=assets[0].enterprise), assets)
        _check_items(encumbrance, assets)
        _check_eligible(transaction, assets, register.frozen)
        _check_others(register, encumbrance)
        return _hold(transaction, register, encumbrance)
    except DomainError as refusal:
        return refusal


def _same(known: Encumbrance, asked: Encumbrance) -> Encumbrance:
    """The one that stands, if it is the same; a tombstone refuses a late reservation."""
    if known.holder == asked.holder and known.state is State.RELEASED and not known.items:
        raise errors.EncumbranceReleased(encumbrance=asked.name)
    said = ("holder", "asset_class", "pari_passu", "reference")
    amounts = [(item.asset, item.asked) for item in known.items]
    if amounts != [(item.asset, item.asked) for item in asked.items] or any(
        getattr(known, field) != getattr(asked, field) for field in said
    ):
        raise errors.EncumbranceIdTaken(encumbrance=asked.name)
    return known


def _may_hold(given: Given, asked: Encumbrance, asset: Asset | None) -> bool:
    """Whether the enterprise consented to the holder for this, and keeps the asset for no other."""
    if asset is None or asset.holder not in ("", asked.holder):
        return False
    return asset.enterprise in given.to(asked.holder, PURPOSES[asked.asset_class])


def _visible(transaction: Transaction, register: Register, asked: Encumbrance) -> list[Asset]:
    """The assets, if the enterprises consented to the caller for this; what doesn't exist nobody consented to."""
    purpose = PURPOSES[asked.asset_class]
    consented = register.consents.to(asked.holder, purpose)
    found = [register.assets.get(name) for name in asked.assets]
    visible = [one for one in found if one is not None and _may_hold(register.consents, asked, one)]
    if len(visible) < len(found):
        raise errors.ConsentMissing
    for one in visible:
        seen = Seen(one.enterprise, consented[one.enterprise], "ReserveEncumbrance", [one.name], purpose)
        register.disclosed.append((transaction, seen))
    return visible


def _unknown(name: str) -> DomainError:
    if name.startswith("declarations/"):
        return errors.DeclarationNotFound(declaration=name)
    return NotFound(resource=name)


def _converted(transaction: Transaction, asked: Encumbrance, assets: Sequence[Asset]) -> Encumbrance:
    """With what was asked for in another currency in the asset's, at today's rate and haircut."""
    pairs = list(zip(asked.items, assets, strict=True))
    if all(item.amount.currency == asset.value.currency for item, asset in pairs):
        return asked
    on = transaction.business_date
    return dataclasses.replace(asked, items=tuple(_in_currency(item, asset, on) for item, asset in pairs))


def _in_currency(item: Item, asset: Asset, on: datetime.date) -> Item:
    """An item in the asset's currency, where the day has a rate."""
    if item.amount.currency == asset.value.currency or item.amount.minor_units <= 0:
        return item
    rate = terms.exchange_rate(item.amount.currency, asset.value.currency, on)
    if rate is None:
        return item
    return model.converted(item, asset.value.currency, rate, terms.currency_haircut(on))


def _check_items(encumbrance: Encumbrance, assets: Sequence[Asset]) -> None:
    """One enterprise, each asset once, in its own currency, positive amounts."""
    problems = [
        Problem(f"encumbrance.items[{index}].amount", reason, english, chinese)
        for index, (item, asset) in enumerate(zip(encumbrance.items, assets, strict=True))
        for is_wrong, reason, english, chinese in (
            (item.amount.minor_units <= 0, "AMOUNT_NOT_POSITIVE", "Ask for a positive amount.", "金额须为正数。"),
            (
                item.amount.currency != asset.value.currency,
                "CURRENCY_DIFFERS",
                f"There is no rate to {asset.value.currency}, the value's currency; use that currency.",
                f"缺少折算为 {asset.value.currency} 的汇率，请使用该币种。",
            ),
        )
        if is_wrong
    ]
    if encumbrance.asset_class is AssetClass.INSURANCE and not INSURABLE.issuperset(a.collection for a in assets):
        problems.append(
            Problem(
                "encumbrance.items",
                "ASSET_NOT_INSURABLE",
                "Insure declarations, or sales out of overseas warehouses: consumers can't be insured.",
                "只能对报关单或海外仓销售投保：消费者不可投保。",
            )
        )
    if len(set(encumbrance.assets)) < len(encumbrance.items):
        problems.append(_repeated("encumbrance.items"))
    if len({asset.enterprise for asset in assets}) > 1:
        problems.append(
            Problem("encumbrance.items", "SEVERAL_ENTERPRISES", "All must be of one exporter.", "须属于同一出口企业。")
        )
    if problems:
        raise InvalidFields(problems)


def _repeated(path: str) -> Problem:
    return Problem(path, "ASSET_REPEATED", "Name each asset once.", "每项资产只能列一次。")


def _named(items: Sequence[declarations_pb2.EncumberedValue]) -> dict[str, Money]:
    """How much of each asset a request names, each once."""
    amounts = rpc.amounts(items)
    if len(amounts) < len(items):
        raise InvalidFields([_repeated("items")])
    return amounts


def _check_eligible(
    transaction: Transaction,
    assets: Iterable[Asset],
    frozen: Mapping[str, Sequence[str]],
    *,
    needs: Sequence[str] = (declaration_model.FINAL, declaration_model.CONDITIONAL),
) -> None:
    """Whether value may be reserved; with `needs`, whether the verdict is one of these."""
    for asset in assets:
        reasons = [*asset.reasons, *freezing.reasons(frozen.get(asset.name, ()))]
        if asset.verdict not in needs or asset.name in frozen:
            language = transaction.caller.language
            explanation = " ".join(reason.text(language) for reason in reasons)
            raise errors.ValueNotEligible(reasons, declaration=asset.name, explanation=explanation, status=asset.status)


def _check_others(register: Register, encumbrance: Encumbrance) -> None:
    """Invariant I6: another holder's encumbrance leaves nothing to others unless all rank equally."""
    for item in encumbrance.items:
        standing = register.standing.get(item.asset, ())
        if model.barring(standing, encumbrance.holder, encumbrance.asset_class, encumbrance.pari_passu):
            raise _encumbered(item.asset, item.amount.zero(), True)


def _hold(transaction: Transaction, register: Register, encumbrance: Encumbrance) -> Encumbrance:
    results = register.sitting.attempt(model.reserve_transfers(encumbrance, transaction.now_us))
    if not all(result.stands for result in results):
        source, _, _ = SIDES[encumbrance.asset_class]
        for item in encumbrance.items:
            account = register.sitting.account(part_id(item.asset, source))
            if account.available_to_debit < item.amount.minor_units:
                standing = register.standing.get(item.asset, ())
                by_another = any(one.holder != encumbrance.holder for one in standing)
                left = Money(item.amount.currency, account.available_to_debit)
                if not by_another and _is_paid(transaction, encumbrance, item.asset):
                    raise errors.ValuePaid(declaration=item.asset, available=left.major(), currency=left.currency)
                raise _encumbered(item.asset, left, by_another)
        raise ledger.LedgerRefused(result=results[-1].value, reference=encumbrance.name)
    register.grant(transaction, encumbrance)
    return encumbrance


def _is_paid(transaction: Transaction, encumbrance: Encumbrance, asset: str) -> bool:
    """Whether cover is asked for on an asset of which the buyer has paid something."""
    if encumbrance.asset_class is not AssetClass.INSURANCE:
        return False
    return bool(values.booked(transaction.connection, [asset])[asset].settled)


def _encumbered(name: str, available: Money, by_another: bool) -> errors.ValueEncumbered:
    return errors.ValueEncumbered(
        declaration=name,
        available=available.major(),
        currency=available.currency,
        encumbered_by_another=str(by_another).lower(),
    )


def reserve_many(
    transaction: Transaction, request: declarations_pb2.BatchReserveEncumbrancesRequest
) -> declarations_pb2.BatchReserveEncumbrancesResponse:
    """Many reservations of one caller, each with its own verdict."""
    outcomes = reserve_batch([(transaction, one) for one in request.requests])
    verdicts = [_verdict(outcome, transaction.caller.language) for outcome in outcomes]
    return declarations_pb2.BatchReserveEncumbrancesResponse(verdicts=verdicts)


def _verdict(outcome: Any, language: str) -> declarations_pb2.EncumbranceVerdict:
    if not isinstance(outcome, DomainError):
        return declarations_pb2.EncumbranceVerdict(encumbrance=outcome)
    told = Problem("", outcome.reason, outcome.text("en"), outcome.text("zh-CN"))
    verdict = declarations_pb2.EncumbranceVerdict(problem=problem(told, language))
    if isinstance(outcome, errors.ValueEncumbered):
        currency = outcome.metadata["currency"]
        left = money.rounded(Decimal(outcome.metadata["available"]), currency)
        verdict.available.CopyFrom(money.to_proto(left))
    return verdict


def _held(transaction: Transaction, name: str) -> Encumbrance:
    """The caller's own encumbrance. NotFound for anyone else's."""
    identifier = name.removeprefix("encumbrances/")
    encumbrance = store.named(transaction.connection, transaction.caller, [identifier]).get(identifier)
    if encumbrance is None or encumbrance.holder != transaction.caller.tenant:
        raise NotFound(resource=name)
    return encumbrance


def confirm(
    transaction: Transaction, request: declarations_pb2.ConfirmEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Turns a reservation, or the parts named, into finance."""
    encumbrance = _held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    state = moved(TRANSITIONS, encumbrance, Verb.CONFIRM)
    if encumbrance.expire_us <= transaction.now_us:
        raise errors.EncumbranceExpired(encumbrance=encumbrance.name)
    assets = kinds.load(transaction.connection, encumbrance.assets, transaction.now_us)
    frozen = values.frozen(transaction.connection, encumbrance.assets)
    _check_eligible(transaction, assets.values(), frozen, needs=(declaration_model.FINAL,))
    amounts = _confirmed_amounts(encumbrance, request)
    ledger.post(transaction, *model.confirm_transfers(encumbrance, amounts))
    items = tuple(
        dataclasses.replace(item, amount=amounts[item.asset]) for item in encumbrance.items if amounts[item.asset]
    )
    confirmed = dataclasses.replace(encumbrance, state=state, items=items)
    saved = store.save(transaction, confirmed, "encumbrance.confirmed")
    _free_the_rest(transaction, encumbrance, amounts)
    return _with_paid(transaction, saved)


def _with_paid(transaction: Transaction, confirmed: Encumbrance) -> declarations_pb2.Encumbrance:
    """The wire form; an insurer is told what buyers have paid so far, so that it counts what is paid from now."""
    message = rpc.to_proto(confirmed)
    if confirmed.asset_class is AssetClass.INSURANCE:
        for item in message.items:
            paid = store.paid(transaction.connection, item.asset, item.amount.currency_code)
            item.paid.CopyFrom(money.to_proto(paid))
    return message


def _free_the_rest(transaction: Transaction, encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> None:
    """What was reserved and not confirmed is free again."""
    fewer = [item.asset for item in encumbrance.items if amounts[item.asset] != item.amount]
    store.drop_items(transaction, encumbrance, [asset for asset in fewer if not amounts[asset]])
    if fewer:
        books = Books(transaction, fewer)
        books.restore_margins()
        books.write()
        netting.rebalance(transaction, fewer)


def _confirmed_amounts(
    encumbrance: Encumbrance, request: declarations_pb2.ConfirmEncumbranceRequest
) -> dict[str, Money]:
    """How much of each item is confirmed: all, or what the request names."""
    if not request.items:
        return {item.asset: item.amount for item in encumbrance.items}
    asked = _named(request.items)
    amounts = {item.asset: asked.pop(item.asset, item.amount.zero()) for item in encumbrance.items}
    for item in encumbrance.items:
        if not _is_within(amounts[item.asset], item.amount):
            asked[item.asset] = amounts[item.asset]
    if not asked and not any(amounts.values()):
        asked = dict(amounts)
    for name in asked:
        raise errors.AmountExceedsReservation(declaration=name, encumbrance=encumbrance.name)
    return amounts


def _is_within(amount: Money, most: Money) -> bool:
    return amount.currency == most.currency and most.zero() <= amount <= most


def release(
    transaction: Transaction, request: declarations_pb2.ReleaseEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Gives the value back, or the parts named; an id that the caller has nothing under leaves its own tombstone."""
    identifier = request.name.removeprefix("encumbrances/")
    known = store.named(transaction.connection, transaction.caller, [identifier]).get(identifier)
    if known is None:
        return _tombstone(transaction, transaction.caller.kept_id(identifier))
    encumbrance = _held(transaction, request.name)
    if encumbrance.state in (State.RELEASED, State.EXPIRED):
        return rpc.to_proto(encumbrance)
    check_etag(request.etag, encumbrance)
    _check_second_person(transaction, encumbrance)
    if request.items:
        return rpc.to_proto(_reduce(transaction, encumbrance, _named(request.items)))
    return rpc.to_proto(_release(transaction, encumbrance))


def _check_second_person(transaction: Transaction, encumbrance: Encumbrance) -> None:
    """What is confirmed changes by two people, or by a system whose own book had two."""
    caller = transaction.caller
    is_person = not caller.service and SYSTEM not in caller.roles
    if encumbrance.state is State.CONFIRMED and is_person:
        raise errors.SecondPersonRequired(encumbrance=encumbrance.name)


def _release(transaction: Transaction, encumbrance: Encumbrance) -> Encumbrance:
    if encumbrance.state is State.RESERVED:
        return ending.end_reservations(transaction, [encumbrance], Verb.RELEASE)[0]
    amounts = ending.outstanding(encumbrance)
    return ending.give_back(transaction, encumbrance, Verb.RELEASE, amounts, "encumbrance.released")


def _reduce(transaction: Transaction, encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> Encumbrance:
    """Gives back a part of what is confirmed; all of it releases the encumbrance."""
    moved(TRANSITIONS, encumbrance, Verb.REDUCE)
    _check_reduction(encumbrance, amounts)
    is_all = all(item.outstanding == amounts.get(item.asset, item.amount.zero()) for item in encumbrance.items)
    verb, event = (Verb.RELEASE, "encumbrance.released") if is_all else (Verb.REDUCE, "encumbrance.reduced")
    return ending.give_back(transaction, encumbrance, verb, amounts, event)


def _check_reduction(encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> None:
    """Positive, in the asset's currency, and no more than is outstanding."""
    left = ending.outstanding(encumbrance)
    for name, amount in amounts.items():
        if name not in left or not amount or not _is_within(amount, left[name]):
            raise errors.ReductionExceedsEncumbrance(asset=name, encumbrance=encumbrance.name)


def reduce(
    transaction: Transaction, request: declarations_pb2.ReduceEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """A maker prepares that less is encumbered."""
    encumbrance = _held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    moved(TRANSITIONS, encumbrance, Verb.REDUCE)
    amounts = _named(request.items)
    _check_reduction(encumbrance, amounts)
    items = tuple(Reduced(name, amount) for name, amount in amounts.items())
    prepared = Reduction(items, request.reason, transaction.caller.principal)
    changed = dataclasses.replace(encumbrance, reduction=prepared)
    return rpc.to_proto(store.save(transaction, changed, "encumbrance.reduction_prepared"))


def approve_reduction(
    transaction: Transaction, request: declarations_pb2.ApproveReductionRequest
) -> declarations_pb2.Encumbrance:
    """A checker approves what the maker prepared, as it was checked."""
    encumbrance = _held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    prepared = _prepared(encumbrance)
    if prepared.maker == transaction.caller.principal:
        raise SamePerson
    amounts = {one.asset: one.amount for one in prepared.items}
    return rpc.to_proto(_reduce(transaction, encumbrance, amounts))


def reject_reduction(
    transaction: Transaction, request: declarations_pb2.RejectReductionRequest
) -> declarations_pb2.Encumbrance:
    """Drops what the maker prepared."""
    encumbrance = _held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    _prepared(encumbrance)
    dropped = dataclasses.replace(encumbrance, reduction=None)
    return rpc.to_proto(store.save(transaction, dropped, "encumbrance.reduction_rejected"))


def _prepared(encumbrance: Encumbrance) -> Reduction:
    if encumbrance.reduction is None:
        raise NothingPrepared(resource=encumbrance.name)
    return encumbrance.reduction


def _tombstone(transaction: Transaction, identifier: str) -> declarations_pb2.Encumbrance:
    """Refuses a reservation that comes after its own release."""
    holder, now_us = transaction.caller.tenant, transaction.now_us
    tombstone = Encumbrance(
        identifier, holder, "", AssetClass.RECEIVABLE, (), False, State.RELEASED, 0, "", 0, now_us, 1
    )
    store.add(transaction, tombstone)
    store.tell(transaction, tombstone, "encumbrance.released")
    return rpc.to_proto(tombstone)


def restore(
    transaction: Transaction, request: declarations_pb2.RestoreEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Puts back what a payment settled of an encumbrance and its lender took as interest, as far as value goes.

    Not where another holds the asset meanwhile: nobody stands beside it (I6).
    """
    encumbrance, left = _held(transaction, request.name), money.from_proto(request.amount)
    if encumbrance.state is not State.CONFIRMED or left.minor_units <= 0:
        return rpc.to_proto(encumbrance)
    books = Books(transaction, request.assets)
    standing = netting.holders_of(transaction.connection, request.assets)
    restored = encumbrance
    for asset in request.assets:
        if model.is_barred(encumbrance, standing.get(asset, ())):
            continue
        part = model.restorable(restored, asset, books.value(asset), left)
        if part:
            books.move(asset, value_model.refinanced(books.value(asset), part), "restore", encumbrance.name)
            restored, left = model.restored(restored, asset, part), left - part
            store.add_item(transaction, restored, asset)
    if restored == encumbrance:
        return rpc.to_proto(encumbrance)
    books.restore_margins()
    books.write()
    saved = store.save(transaction, restored, "encumbrance.restored")
    netting.rebalance(transaction, request.assets)
    return rpc.to_proto(saved)


def expire(transaction: Transaction) -> bool:
    """Ends reservations whose time is over, a batch at a time."""
    connection = transaction.connection
    found = store.due(connection, transaction.now_us, EXPIRE_AT_ONCE)
    # Under the locks of what they stand on, so that whoever ends one of them meanwhile is waited for.
    database.lock(connection, [asset for one in found for asset in one.assets])
    present = store.load(connection, [one.id for one in found])
    due = [one for one in present.values() if one.state is State.RESERVED]
    ending.end_reservations(transaction, due, Verb.EXPIRE)
    return len(found) == EXPIRE_AT_ONCE


def apply_proceeds(
    transaction: Transaction, request: declarations_pb2.ApplyProceedsRequest
) -> declarations_pb2.ApplyProceedsResponse:
    """Applies what the buyer paid to an asset's value, once a payment."""
    connection = transaction.connection
    if request.amount.minor_units < 0:
        raise InvalidFields([PAID_NEGATIVE])
    if known := store.applied(connection, request.asset, request.payment):
        return declarations_pb2.ApplyProceedsResponse.FromString(known)
    database.lock(connection, [request.asset])
    asset = kinds.load(connection, [request.asset], transaction.now_us).get(request.asset)
    if asset is None:
        raise _unknown(request.asset)
    amount = money.from_proto(request.amount)
    if amount.currency != asset.value.currency:
        raise errors.ValueNotEligible(declaration=asset.name, explanation=f"{asset.value.currency} / {amount.currency}")
    netting.link_fresh(transaction, values.open(transaction, [asset]))
    netting.roll_onto(transaction, asset.name)
    response = _settle_sales_first(transaction, asset, amount)
    store.add_applied(connection, asset.name, request.payment, response.SerializeToString())
    return response


def _settle_sales_first(
    transaction: Transaction, asset: Asset, amount: Money
) -> declarations_pb2.ApplyProceedsResponse:
    """Buyers pay for what they bought: sales out of a warehouse before the declaration, the first reported first."""
    left, unfinanced = amount, amount.zero()
    settled: list[declarations_pb2.SettledEncumbrance] = []
    for sale in _sales(transaction, asset):
        value = values.of(transaction.connection, sale, transaction.now_us)
        part = min(left, value.financed + value.reserved + value.free + value.margin)
        if part:
            values.open(transaction, [sale])
            applied = _settle(transaction, sale, part)
            settled += applied.settled_encumbrances
            unfinanced += money.from_proto(applied.unfinanced)
            left -= part
    response = _settle(transaction, asset, left)
    response.unfinanced.CopyFrom(money.to_proto(unfinanced + money.from_proto(response.unfinanced)))
    response.settled_encumbrances.MergeFrom(settled)
    return response


def _sales(transaction: Transaction, asset: Asset) -> list[Asset]:
    """The sales of a declaration's goods in the order they were reported, locked."""
    number = asset.name.removeprefix("declarations/")
    found = sales.of_declarations(transaction.connection, [number]).get(number, ())
    names = [one.name for one in found]
    database.lock(transaction.connection, names)
    known = kinds.load(transaction.connection, names, transaction.now_us)
    return [known[name] for name in names]


def _settle(transaction: Transaction, asset: Asset, amount: Money) -> declarations_pb2.ApplyProceedsResponse:
    """Reservations give way to what is paid: nothing already paid is lent on."""
    standing, books = ending.locked(transaction, asset.name)
    for one in ending.reserved_on(standing, AssetClass.RECEIVABLE):
        value = books.value(asset.name)
        if amount <= value.backed + value.free + value.margin:
            break
        ending.end_one(transaction, books, one, Verb.RELEASE, model.void_transfers(one))
    open_breaches = breach_rows.open_on(transaction.connection, [asset.name])
    unbacked = breaches.unbacked(open_breaches, AssetClass.RECEIVABLE)
    application = model.apply_proceeds(asset.name, books.value(asset.name), standing, amount, unbacked)
    unreleased = store.unreleased_on(transaction.connection, asset.name)
    books.move(asset.name, application.moves(), "proceeds")
    if asset.collection != POOLS:
        books.move(asset.name, application.beyond_value(), "excess")
    unbacked_cover = breaches.unbacked(open_breaches, AssetClass.INSURANCE)
    cover = ending.settle_cover(transaction, asset.name, books, standing, application.within_value, unbacked_cover)
    books.restore_margins()
    books.write()
    return _settled(transaction, asset, application, cover, unreleased)


def _settled(
    transaction: Transaction,
    asset: Asset,
    application: model.Application,
    cover: model.CoverSettled,
    unreleased: Sequence[Encumbrance],
) -> declarations_pb2.ApplyProceedsResponse:
    """The rows follow what was booked, and everyone whom it concerns is told."""
    for settled in (*application.settled, *cover.settled):
        store.save(transaction, model.settle_item(settled, asset.name), "encumbrance.settled")
    for holder, amount in application.cured_by_holder.items():
        if amount:
            breaches.cure(transaction, asset.name, AssetClass.RECEIVABLE, amount, holder)
    netting.rebalance(transaction, [asset.name])
    _tell_settled(transaction, asset, application)
    return declarations_pb2.ApplyProceedsResponse(
        settled_encumbrances=[rpc.settled(asset.name, one) for one in application.with_unreleased(unreleased)],
        unfinanced=money.to_proto(application.free + application.margin),
        excess=money.to_proto(application.excess),
        enterprise=asset.enterprise,
    )


def _tell_settled(transaction: Transaction, asset: Asset, application: model.Application) -> None:
    """Tells the enterprise: declaration.settled with the declaration, asset.settled with the payment of other kinds."""
    number = asset.name.removeprefix("declarations/")
    declaration = declaration_store.load(transaction.connection, [number]).get(number)
    if declaration is None:
        transaction.append("asset.settled", asset.name, rpc.settlement(asset, application), [asset.enterprise])
    else:
        message = declaration_rpc.to_proto(declaration, transaction.now_us)
        transaction.append("declaration.settled", asset.name, message, [asset.enterprise])
