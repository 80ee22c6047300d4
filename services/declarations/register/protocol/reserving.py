"""Reserves value: many reservations at once, each judged on those before it."""

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf.message import Message

from chassis import money
from chassis.clock import MICROSECONDS
from chassis.codetables import CodeTable
from chassis.command import Transaction
from chassis.errors import DomainError, InvalidFields, Problem
from chassis.money import Money
from chassis.rpc import problem
from ledger import store as ledger_store
from ledger.model import Transfer
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent import store as consent_store
from services.declarations.privacy.consent.access import PendingDisclosure
from services.declarations.privacy.consent.model import GivenConsents, Purpose
from services.declarations.register import errors as register_errors
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import rpc as encumbrance_rpc
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, Item, Standing, State
from services.declarations.register.kind import Kinds, load_assets
from services.declarations.register.preshipment import netting
from services.declarations.register.protocol.checks import repeated
from services.declarations.register.value import store as value_store
from services.declarations.register.value.eligibility import check_eligible
from services.declarations.register.value.model import SIDES, part_id
from trade import checks as trade_checks
from trade import reference_rates
from trade.dated_tables import reads as dated_tables_reads

# The purposes to which the enterprise must have consented.
PURPOSES = {AssetClass.RECEIVABLE: Purpose.FINANCING, AssetClass.INSURANCE: Purpose.INSURANCE}


Work = tuple[Transaction, declarations_pb2.ReserveEncumbranceRequest]


@dataclass(slots=True)
class Reservations:
    """The assets, consents and standings by which a batch of reservations is judged, kept up as they are decided."""

    kinds: Kinds
    assets: Mapping[str, Asset]
    frozen: Mapping[str, Sequence[str]]
    consents: GivenConsents
    encumbrances: dict[str, Encumbrance]
    standing: dict[str, set[Standing]]
    sitting: ledger_store.Sitting
    # Each newly granted encumbrance, with the number of its first hold within the sitting.
    granted: list[tuple[Transaction, Encumbrance, int]] = field(default_factory=list)
    disclosed: list[tuple[Transaction, PendingDisclosure]] = field(default_factory=list)

    def grant(self, transaction: Transaction, encumbrance: Encumbrance) -> None:
        """Counts an encumbrance as granted; its holds were the last that were attempted."""
        first_hold = self.sitting.attempted - len(encumbrance.items)
        self.granted.append((transaction, encumbrance, first_hold))
        self.encumbrances[encumbrance.id] = encumbrance
        held = Standing(encumbrance.asset_class, encumbrance.holder, encumbrance.pari_passu)
        for item in encumbrance.items:
            self.standing.setdefault(item.asset, set()).add(held)

    def store(self) -> dict[str, Encumbrance]:
        """Writes the holds and the granted encumbrances, fenced by the ledger's positions. Returns these by id."""
        verdicts = self.sitting.write()
        stored = {}
        for transaction, encumbrance, first_hold in self.granted:
            fenced = dataclasses.replace(encumbrance, fencing_number=verdicts[first_hold].position)
            stored[fenced.id] = fenced
            encumbrance_store.tell(transaction, fenced, "encumbrance.reserved")
        if self.granted:
            encumbrance_store.add(self.granted[0][0], *stored.values())
        access.note([(transaction, [disclosed]) for transaction, disclosed in self.disclosed])
        return stored


def reserve_batch(kinds: Kinds, work: Sequence[Work]) -> Sequence[Message | DomainError]:
    """Decides reservations in arrival order as one set-based step; each is judged on those before it."""
    requested = _all_asked(work)
    reservations = _load(kinds, work[0][0], requested)
    outcomes = [
        _decide(transaction, encumbrance, reservations)
        for (transaction, _), encumbrance in zip(work, requested, strict=True)
    ]
    stored = reservations.store()
    return [
        outcome if isinstance(outcome, DomainError) else encumbrance_rpc.to_proto(stored.get(outcome.id, outcome))
        for outcome in outcomes
    ]


def _all_asked(work: Sequence[Work]) -> list[Encumbrance]:
    """Returns the encumbrances that the requests ask for.

    An outsider's encumbrance from before ids had owners goes on under its very id.
    """
    outside = [(transaction, request) for transaction, request in work if not transaction.caller.service]
    standing_by_id = (
        encumbrance_store.load(work[0][0].connection, {request.encumbrance_id for _, request in outside})
        if outside
        else {}
    )
    encumbrances = []
    for transaction, request in work:
        requested, standing = _asked(transaction, request), standing_by_id.get(request.encumbrance_id)
        is_own = standing is not None and standing.holder == requested.holder
        encumbrances.append(dataclasses.replace(requested, id=request.encumbrance_id) if is_own else requested)
    return encumbrances


def _asked(transaction: Transaction, request: declarations_pb2.ReserveEncumbranceRequest) -> Encumbrance:
    today = transaction.business_date
    seconds = register_terms.reserve_seconds(request.reserve_duration.seconds, today)
    expire_us = transaction.now_us + seconds * MICROSECONDS
    return encumbrance_rpc.asked(request, transaction.caller, transaction.now_us, expire_us)


def _load(kinds: Kinds, transaction: Transaction, requested: Sequence[Encumbrance]) -> Reservations:
    connection, now_us = transaction.connection, transaction.now_us
    names = {name for encumbrance in requested for name in encumbrance.assets}
    assets = load_assets(kinds, connection, names, transaction.business_date)
    given = consent_store.given(connection, {asset.enterprise for asset in assets.values()}, now_us)
    # Open only assets that the caller may see: otherwise a refused request would change rows, and its duration would
    # show that the asset exists.
    seen = {
        name: assets[name]
        for encumbrance in requested
        for name in encumbrance.assets
        if _may_hold(given, encumbrance, assets.get(name))
    }
    netting.link_fresh(transaction, value_store.open(transaction, seen.values()))
    candidates: list[Transfer] = []
    for encumbrance in requested:
        candidates += encumbrance_model.reserve_transfers(encumbrance, transaction.now_us)
    sitting = ledger_store.Sitting(transaction, candidates)
    return Reservations(
        kinds,
        assets,
        value_store.frozen(connection, names),
        given,
        encumbrance_store.load(connection, [encumbrance.id for encumbrance in requested]),
        netting.holders_of(connection, names),
        sitting,
    )


def _decide(transaction: Transaction, requested: Encumbrance, reservations: Reservations) -> Encumbrance | DomainError:
    """Returns the encumbrance as it stands, or its refusal."""
    try:
        if standing_encumbrance := reservations.encumbrances.get(requested.id):
            return _same(standing_encumbrance, requested)
        assets = _visible(transaction, reservations, requested)
        encumbrance = _converted(transaction, dataclasses.replace(requested, enterprise=assets[0].enterprise), assets)
        _check_items(reservations.kinds, encumbrance, assets)
        check_eligible(transaction, assets, reservations.frozen)
        _check_others(reservations, encumbrance)
        return _hold(transaction, reservations, encumbrance)
    except DomainError as refusal:
        return refusal


def _same(standing_encumbrance: Encumbrance, requested: Encumbrance) -> Encumbrance:
    """Returns the standing encumbrance, if the request is the same; a tombstone refuses a late reservation.

    Raises EncumbranceReleased, EncumbranceIdTaken.
    """
    if (
        standing_encumbrance.holder == requested.holder
        and standing_encumbrance.state is State.RELEASED
        and not standing_encumbrance.items
    ):
        raise register_errors.EncumbranceReleased(encumbrance=requested.name)
    compared = ("holder", "asset_class", "pari_passu", "reference")
    amounts = [(item.asset, item.requested) for item in standing_encumbrance.items]
    if amounts != [(item.asset, item.requested) for item in requested.items] or any(
        getattr(standing_encumbrance, field) != getattr(requested, field) for field in compared
    ):
        raise register_errors.EncumbranceIdTaken(encumbrance=requested.name)
    return standing_encumbrance


def _may_hold(given: GivenConsents, requested: Encumbrance, asset: Asset | None) -> bool:
    """Returns whether the enterprise consented to the holder for this, and keeps the asset for no other."""
    if asset is None or asset.holder not in ("", requested.holder):
        return False
    return asset.enterprise in given.to(requested.holder, PURPOSES[requested.asset_class])


def _visible(transaction: Transaction, reservations: Reservations, requested: Encumbrance) -> list[Asset]:
    """Returns the assets, if the enterprises consented to the caller for this, and records the disclosures.

    Raises ConsentMissing, also for an asset that doesn't exist.
    """
    purpose = PURPOSES[requested.asset_class]
    consented = reservations.consents.to(requested.holder, purpose)
    named_assets = [reservations.assets.get(name) for name in requested.assets]
    visible = [
        asset for asset in named_assets if asset is not None and _may_hold(reservations.consents, requested, asset)
    ]
    if len(visible) < len(named_assets):
        raise privacy_errors.ConsentMissing
    for asset in visible:
        disclosed = PendingDisclosure(
            asset.enterprise, consented[asset.enterprise], "ReserveEncumbrance", [asset.name], purpose
        )
        reservations.disclosed.append((transaction, disclosed))
    return visible


def _converted(transaction: Transaction, requested: Encumbrance, assets: Sequence[Asset]) -> Encumbrance:
    """Returns the encumbrance with claims in another currency converted at today's rate and haircut."""
    items_with_assets = list(zip(requested.items, assets, strict=True))
    if all(item.amount.currency == asset.value.currency for item, asset in items_with_assets):
        return requested
    rates = dated_tables_reads.dated_table(transaction.connection, reference_rates.TABLE)
    in_currency = partial(_in_currency, rates=rates, on=transaction.business_date)
    return dataclasses.replace(requested, items=tuple(map(in_currency, requested.items, assets)))


def _in_currency(item: Item, asset: Asset, rates: CodeTable, on: datetime.date) -> Item:
    """Returns an item in the asset's currency, unchanged where the day has no rate."""
    if item.amount.currency == asset.value.currency or item.amount.minor_units <= 0:
        return item
    rate = reference_rates.reference_rate(item.amount.currency, asset.value.currency, on, rates=rates)
    return encumbrance_model.converted(item, rate, register_terms.currency_haircut(on)) if rate else item


def _rate_problems(path: str, item: Item, asset: Asset) -> Iterator[Problem]:
    """Yields CURRENCY_DIFFERS where the day had no rate to the currency of the asset's value."""
    if item.amount.currency != asset.value.currency:
        currency = asset.value.currency
        english = f"There is no rate to {currency}, the value's currency; use that currency."
        yield Problem(path, "CURRENCY_DIFFERS", english, f"缺少折算为 {currency} 的汇率，请使用该币种。")


def _check_items(kinds: Kinds, encumbrance: Encumbrance, assets: Sequence[Asset]) -> None:
    """Checks that the items are of one enterprise, each asset once, in its own currency, with positive amounts.

    Raises InvalidFields with every problem.
    """
    problems: list[Problem] = []
    for index, (item, asset) in enumerate(zip(encumbrance.items, assets, strict=True)):
        path = f"encumbrance.items[{index}].amount"
        problems += trade_checks.positive(path, item.amount.minor_units)
        problems += _rate_problems(path, item, asset)
    is_cover = encumbrance.asset_class is AssetClass.INSURANCE
    if is_cover and not all(kinds[asset.collection].is_insurable for asset in assets):
        problems.append(
            Problem(
                "encumbrance.items",
                "ASSET_NOT_INSURABLE",
                "Insure declarations, or sales out of overseas warehouses: consumers can't be insured.",
                "只能对报关单或海外仓销售投保：消费者不可投保。",
            )
        )
    if len(set(encumbrance.assets)) < len(encumbrance.items):
        problems.append(repeated("encumbrance.items"))
    if len({asset.enterprise for asset in assets}) > 1:
        problems.append(
            Problem("encumbrance.items", "SEVERAL_ENTERPRISES", "All must be of one exporter.", "须属于同一出口企业。")
        )
    if problems:
        raise InvalidFields(problems)


def _check_others(reservations: Reservations, encumbrance: Encumbrance) -> None:
    """Checks I6: another holder's encumbrance leaves nothing to others unless all rank equally."""
    for item in encumbrance.items:
        standing = reservations.standing.get(item.asset, ())
        if encumbrance_model.barring(standing, encumbrance.holder, encumbrance.asset_class, encumbrance.pari_passu):
            raise _encumbered(item.asset, item.amount.zero(), True)


def _hold(transaction: Transaction, reservations: Reservations, encumbrance: Encumbrance) -> Encumbrance:
    results = reservations.sitting.attempt(encumbrance_model.reserve_transfers(encumbrance, transaction.now_us))
    if not all(result.stands for result in results):
        source, _, _ = SIDES[encumbrance.asset_class]
        for item in encumbrance.items:
            account = reservations.sitting.account(part_id(item.asset, source))
            if account.available_to_debit < item.amount.minor_units:
                standing = reservations.standing.get(item.asset, ())
                by_another = any(other.holder != encumbrance.holder for other in standing)
                left = Money(item.amount.currency, account.available_to_debit)
                if not by_another and _is_paid(transaction, encumbrance, item.asset):
                    raise register_errors.ValuePaid(
                        declaration=item.asset, available=left.major(), currency=left.currency
                    )
                raise _encumbered(item.asset, left, by_another)
        raise ledger_store.LedgerRefused(result=results[-1].value, reference=encumbrance.name)
    reservations.grant(transaction, encumbrance)
    return encumbrance


def _is_paid(transaction: Transaction, encumbrance: Encumbrance, asset: str) -> bool:
    """Returns whether cover is asked for on an asset of which the buyer has paid something."""
    if encumbrance.asset_class is not AssetClass.INSURANCE:
        return False
    return bool(value_store.booked(transaction.connection, [asset])[asset].settled)


def _encumbered(name: str, available: Money, by_another: bool) -> register_errors.ValueEncumbered:
    return register_errors.ValueEncumbered(
        declaration=name,
        available=available.major(),
        currency=available.currency,
        encumbered_by_another=str(by_another).lower(),
    )


def reserve_many(
    kinds: Kinds, transaction: Transaction, request: declarations_pb2.BatchReserveEncumbrancesRequest
) -> declarations_pb2.BatchReserveEncumbrancesResponse:
    """Reserves many encumbrances of one caller. Returns a verdict for each."""
    outcomes = reserve_batch(kinds, [(transaction, reservation) for reservation in request.requests])
    verdicts = [_verdict(outcome, transaction.caller.language) for outcome in outcomes]
    return declarations_pb2.BatchReserveEncumbrancesResponse(verdicts=verdicts)


def _verdict(outcome: Any, language: str) -> declarations_pb2.EncumbranceVerdict:
    if not isinstance(outcome, DomainError):
        return declarations_pb2.EncumbranceVerdict(encumbrance=outcome)
    refusal = Problem("", outcome.reason, outcome.text("en"), outcome.text("zh-CN"))
    verdict = declarations_pb2.EncumbranceVerdict(problem=problem(refusal, language))
    if isinstance(outcome, register_errors.ValueEncumbered):
        currency = outcome.metadata["currency"]
        left = money.rounded(Decimal(outcome.metadata["available"]), currency)
        verdict.available.CopyFrom(money.to_proto(left))
    return verdict
