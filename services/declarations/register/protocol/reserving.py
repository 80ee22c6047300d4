"""Reserving value: many reservations at once, each judged on those before it."""

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf.message import Message

from chassis import money
from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from chassis.errors import DomainError, InvalidFields, Problem
from chassis.money import Money
from chassis.rpc import problem
from ledger import store as ledger
from ledger.model import Transfer
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent import store as consent_store
from services.declarations.privacy.consent.access import Seen
from services.declarations.privacy.consent.model import Given, Purpose
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
from trade import exchange_rates as trade_exchange_rates

# What the enterprise must have consented to.
PURPOSES = {AssetClass.RECEIVABLE: Purpose.FINANCING, AssetClass.INSURANCE: Purpose.INSURANCE}


Work = tuple[Transaction, declarations_pb2.ReserveEncumbranceRequest]


@dataclass(slots=True)
class Reservations:
    """What a batch of reservations is judged on, kept up as they are decided."""

    kinds: Kinds
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
            encumbrance_store.tell(transaction, fenced, "encumbrance.reserved")
        if self.granted:
            encumbrance_store.add(self.granted[0][0], *stored.values())
        access.note([(transaction, [seen]) for transaction, seen in self.disclosed])
        return stored


def reserve_batch(kinds: Kinds, work: Sequence[Work]) -> Sequence[Message | DomainError]:
    """Reservations in arrival order as one set-based step; each is judged on those before it."""
    asked = _all_asked(work)
    reservations = _load(kinds, work[0][0], asked)
    outcomes = [
        _decide(transaction, encumbrance, reservations)
        for (transaction, _), encumbrance in zip(work, asked, strict=True)
    ]
    stored = reservations.store()
    return [
        outcome if isinstance(outcome, DomainError) else encumbrance_rpc.to_proto(stored.get(outcome.id, outcome))
        for outcome in outcomes
    ]


def _all_asked(work: Sequence[Work]) -> list[Encumbrance]:
    """What the requests ask for. An outsider's encumbrance from before ids had owners goes on under its very id."""
    outside = [(transaction, request) for transaction, request in work if not transaction.caller.service]
    plain = (
        encumbrance_store.load(work[0][0].connection, {request.encumbrance_id for _, request in outside})
        if outside
        else {}
    )
    found = []
    for transaction, request in work:
        asked, standing = _asked(transaction, request), plain.get(request.encumbrance_id)
        is_own = standing is not None and standing.holder == asked.holder
        found.append(dataclasses.replace(asked, id=request.encumbrance_id) if is_own else asked)
    return found


def _asked(transaction: Transaction, request: declarations_pb2.ReserveEncumbranceRequest) -> Encumbrance:
    today = transaction.business_date
    seconds = register_terms.reserve_seconds(request.reserve_duration.seconds, today)
    expire_us = transaction.now_us + seconds * MICROSECONDS
    return encumbrance_rpc.asked(request, transaction.caller, transaction.now_us, expire_us)


def _load(kinds: Kinds, transaction: Transaction, asked: Sequence[Encumbrance]) -> Reservations:
    connection, now_us = transaction.connection, transaction.now_us
    names = {name for each_encumbrance in asked for name in each_encumbrance.assets}
    assets = load_assets(kinds, connection, names, transaction.business_date)
    given = consent_store.given(connection, {asset.enterprise for asset in assets.values()}, now_us)
    # Who may not see an asset changes nothing of it, and can't tell by the time it takes that it exists.
    seen = {
        name: assets[name]
        for each_encumbrance in asked
        for name in each_encumbrance.assets
        if _may_hold(given, each_encumbrance, assets.get(name))
    }
    netting.link_fresh(transaction, value_store.open(transaction, seen.values()))
    candidates: list[Transfer] = []
    for encumbrance in asked:
        candidates += encumbrance_model.reserve_transfers(encumbrance, transaction.now_us)
    sitting = ledger.Sitting(transaction, candidates)
    return Reservations(
        kinds,
        assets,
        value_store.frozen(connection, names),
        given,
        encumbrance_store.load(connection, [each_encumbrance.id for each_encumbrance in asked]),
        netting.holders_of(connection, names),
        sitting,
    )


def _decide(transaction: Transaction, asked: Encumbrance, reservations: Reservations) -> Encumbrance | DomainError:
    """The encumbrance as it stands, or why it is refused."""
    try:
        if known := reservations.encumbrances.get(asked.id):
            return _same(known, asked)
        assets = _visible(transaction, reservations, asked)
        encumbrance = _converted(transaction, dataclasses.replace(asked, enterprise=assets[0].enterprise), assets)
        _check_items(reservations.kinds, encumbrance, assets)
        check_eligible(transaction, assets, reservations.frozen)
        _check_others(reservations, encumbrance)
        return _hold(transaction, reservations, encumbrance)
    except DomainError as refusal:
        return refusal


def _same(known: Encumbrance, asked: Encumbrance) -> Encumbrance:
    """The one that stands, if it is the same; a tombstone refuses a late reservation."""
    if known.holder == asked.holder and known.state is State.RELEASED and not known.items:
        raise register_errors.EncumbranceReleased(encumbrance=asked.name)
    said = ("holder", "asset_class", "pari_passu", "reference")
    amounts = [(item.asset, item.asked) for item in known.items]
    if amounts != [(item.asset, item.asked) for item in asked.items] or any(
        getattr(known, field) != getattr(asked, field) for field in said
    ):
        raise register_errors.EncumbranceIdTaken(encumbrance=asked.name)
    return known


def _may_hold(given: Given, asked: Encumbrance, asset: Asset | None) -> bool:
    """Whether the enterprise consented to the holder for this, and keeps the asset for no other."""
    if asset is None or asset.holder not in ("", asked.holder):
        return False
    return asset.enterprise in given.to(asked.holder, PURPOSES[asked.asset_class])


def _visible(transaction: Transaction, reservations: Reservations, asked: Encumbrance) -> list[Asset]:
    """The assets, if the enterprises consented to the caller for this; what doesn't exist nobody consented to."""
    purpose = PURPOSES[asked.asset_class]
    consented = reservations.consents.to(asked.holder, purpose)
    found = [reservations.assets.get(name) for name in asked.assets]
    visible = [
        each_asset
        for each_asset in found
        if each_asset is not None and _may_hold(reservations.consents, asked, each_asset)
    ]
    if len(visible) < len(found):
        raise privacy_errors.ConsentMissing
    for asset in visible:
        seen = Seen(asset.enterprise, consented[asset.enterprise], "ReserveEncumbrance", [asset.name], purpose)
        reservations.disclosed.append((transaction, seen))
    return visible


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
    rate = trade_exchange_rates.exchange_rate(item.amount.currency, asset.value.currency, on)
    if rate is None:
        return item
    return encumbrance_model.converted(item, asset.value.currency, rate, register_terms.currency_haircut(on))


def _rate_problems(path: str, item: Item, asset: Asset) -> Iterator[Problem]:
    """Yields CURRENCY_DIFFERS where the day had no rate to the currency of the asset's value."""
    if item.amount.currency != asset.value.currency:
        currency = asset.value.currency
        english = f"There is no rate to {currency}, the value's currency; use that currency."
        yield Problem(path, "CURRENCY_DIFFERS", english, f"缺少折算为 {currency} 的汇率，请使用该币种。")


def _check_items(kinds: Kinds, encumbrance: Encumbrance, assets: Sequence[Asset]) -> None:
    """One enterprise, each asset once, in its own currency, positive amounts."""
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
    """Invariant I6: another holder's encumbrance leaves nothing to others unless all rank equally."""
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
                by_another = any(each_standing.holder != encumbrance.holder for each_standing in standing)
                left = Money(item.amount.currency, account.available_to_debit)
                if not by_another and _is_paid(transaction, encumbrance, item.asset):
                    raise register_errors.ValuePaid(
                        declaration=item.asset, available=left.major(), currency=left.currency
                    )
                raise _encumbered(item.asset, left, by_another)
        raise ledger.LedgerRefused(result=results[-1].value, reference=encumbrance.name)
    reservations.grant(transaction, encumbrance)
    return encumbrance


def _is_paid(transaction: Transaction, encumbrance: Encumbrance, asset: str) -> bool:
    """Whether cover is asked for on an asset of which the buyer has paid something."""
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
    """Many reservations of one caller, each with its own verdict."""
    outcomes = reserve_batch(kinds, [(transaction, each_request) for each_request in request.requests])
    verdicts = [_verdict(outcome, transaction.caller.language) for outcome in outcomes]
    return declarations_pb2.BatchReserveEncumbrancesResponse(verdicts=verdicts)


def _verdict(outcome: Any, language: str) -> declarations_pb2.EncumbranceVerdict:
    if not isinstance(outcome, DomainError):
        return declarations_pb2.EncumbranceVerdict(encumbrance=outcome)
    told = Problem("", outcome.reason, outcome.text("en"), outcome.text("zh-CN"))
    verdict = declarations_pb2.EncumbranceVerdict(problem=problem(told, language))
    if isinstance(outcome, register_errors.ValueEncumbered):
        currency = outcome.metadata["currency"]
        left = money.rounded(Decimal(outcome.metadata["available"]), currency)
        verdict.available.CopyFrom(money.to_proto(left))
    return verdict
