"""Proves the register's invariants (docs/invariants.md) from its rows and its ledger: for some assets, or for all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa

from chassis.money import Money
from ledger import store as ledger_store
from ledger.model import Account
from ledger.tables import accounts as account_rows
from services.declarations.register import terms
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.breach import store as breach_store
from services.declarations.register.breach.model import Breach
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, Standing, State, item_of
from services.declarations.register.encumbrance.store import encumbered
from services.declarations.register.kind import Kinds, load_assets
from services.declarations.register.preshipment import model as preshipment_model
from services.declarations.register.preshipment import store as preshipment_store
from services.declarations.register.preshipment.model import Link
from services.declarations.register.value import model as value_model
from services.declarations.register.value import store as value_store
from services.declarations.register.value.model import Part, Value, part_id

AT_ONCE = 500
# Values don't depend on the day, only verdicts do.
ANY_DAY = date(1970, 1, 1)
Check = tuple[str, bool, str]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """An asset with its rows and its ledger; `netted` is the part of its reserved value that orders hold."""

    asset: Asset
    value: Value
    declared: Money
    cap: Decimal
    standing: Sequence[Encumbrance]
    breaches: Sequence[Breach]
    freezes: Sequence[str]
    netted: Money
    holders: AbstractSet[Standing]
    order: preshipment_model.PreShipment | None
    links: Sequence[Link]


def violations(kinds: Kinds, connection: sa.Connection) -> list[str]:
    """Proves every asset whose value is booked, and finds encumbrances on assets without. Returns the violations."""
    violated = [f"R1: {name} carries encumbrances without booked value" for name in _unbooked(connection)]
    names = _names(connection)
    for start in range(0, len(names), AT_ONCE):
        violated += of_assets(kinds, connection, names[start : start + AT_ONCE])
    return violated


def _names(connection: sa.Connection) -> list[str]:
    """Returns the assets whose value is booked, by the reference of their accounts, in one query."""
    prefix, reference = f"{Part.FREE.value} ", account_rows.c.reference
    is_free = sa.and_(account_rows.c.book == value_model.BOOK, reference > prefix, reference < f"{prefix}~")
    references = connection.execute(sa.select(reference).where(is_free)).scalars()
    return sorted(name.removeprefix(prefix) for name in references)


def _unbooked(connection: sa.Connection) -> list[str]:
    query = sa.select(encumbered.c.asset).distinct().where(encumbered.c.stands.is_(True))
    standing = list(connection.execute(query).scalars())
    return [
        name
        for start in range(0, len(standing), AT_ONCE)
        for name in set(standing[start : start + AT_ONCE])
        - value_store.opened(connection, standing[start : start + AT_ONCE])
    ]


def of_assets(kinds: Kinds, connection: sa.Connection, names: Sequence[str]) -> list[str]:
    """Checks those of the assets whose value is booked. Returns each violation with its invariant and asset."""
    return [
        f"{invariant}: {evidence.asset.name}: {detail}"
        for evidence in _load(kinds, connection, names)
        for invariant, holds, detail in _checks(evidence)
        if not holds
    ]


def _checks(evidence: _Evidence) -> Iterator[Check]:
    for rule in RULES:
        yield from rule(evidence)


def _load(kinds: Kinds, connection: sa.Connection, names: Sequence[str]) -> Iterator[_Evidence]:
    accounts = ledger_store.accounts(connection, [part_id(name, part) for name in names for part in Part])
    assets = load_assets(kinds, connection, names, ANY_DAY)
    standing = encumbrance_store.standing_on(connection, names)
    holders = encumbrance_store.holders_of(connection, names)
    breaches_by_asset = _by_asset(breach_store.open_on(connection, names))
    freezes = value_store.frozen(connection, names)
    netted = preshipment_store.links_of(connection, names)
    orders = preshipment_store.load(connection, [name.removeprefix("preShipments/") for name in names])
    under = preshipment_store.links(connection, names)
    for name, asset in assets.items():
        if part_id(name, Part.FREE) in accounts:
            zero = asset.value.zero()
            yield _Evidence(
                asset=asset,
                value=value_model.value_of(accounts, name),
                declared=_declared(accounts, name),
                cap=terms.advance_cap(asset.collection, date.max),
                standing=standing.get(name, ()),
                breaches=breaches_by_asset.get(name, ()),
                freezes=freezes.get(name, ()),
                netted=netted[name].held if name in netted else zero,
                holders=holders.get(name, frozenset()),
                order=(order := orders.get(name.removeprefix("preShipments/"))),
                links=preshipment_model.counting(under, order) if order else (),
            )


def _declared(accounts: Mapping[str, Account], name: str) -> Money:
    account = accounts[part_id(name, Part.DECLARED)]
    return Money(account.currency, -account.balance)


def _by_asset(breaches: Iterable[Breach]) -> dict[str, list[Breach]]:
    breaches_by_asset: dict[str, list[Breach]] = {}
    for breach in breaches:
        breaches_by_asset.setdefault(breach.asset, []).append(breach)
    return breaches_by_asset


def _sums(evidence: _Evidence) -> Iterator[Check]:
    """Checks I1: the parts come to the declared value; none is negative."""
    value, booked = evidence.value, evidence.declared + evidence.value.excess
    negative = [name for name, amount in value.parts().items() if amount.minor_units < 0]
    yield "I1", value.declared == evidence.declared, f"its parts are {value.declared}, booked are {booked}"
    yield "I1", value.declared == evidence.asset.value, f"booked are {value.declared}, declared {evidence.asset.value}"
    yield "I1", not negative, f"negative: {negative}"


def _insured(evidence: _Evidence) -> Iterator[Check]:
    """Checks I2: no more is insured than is owed, but for a breach."""
    value = evidence.value
    insurable = value.unpaid + value.insured_shortfall
    yield "I2", value.insurable + value.insured == insurable, f"insured {value.insured} of {insurable}"
    yield "I2", value.insured <= insurable, f"insured {value.insured} of {insurable}"


def _netted(evidence: _Evidence) -> Iterator[Check]:
    """Checks I3: the order is booked at its remaining and netted amounts, no more netted than is too much on it."""
    if evidence.order is None or not evidence.links:
        return
    left = preshipment_model.remaining(evidence.order.amount, evidence.links)
    netted = sum((link.netted for link in evidence.links), left.zero())
    wanted = preshipment_model.to_net(evidence.value, left, evidence.cap)
    yield "I3", netted <= wanted, f"netted {netted} of {wanted}"
    yield "I3", evidence.value.declared == left + netted, f"booked {evidence.value.declared} for {left} and {netted}"


def _capped(evidence: _Evidence) -> Iterator[Check]:
    """Checks I4 and the cap: nothing is reserved beyond what may be financed."""
    value, most = evidence.value, evidence.asset.value.times(evidence.cap)
    invariant = "I4" if evidence.asset.collection == "rebates" else "cap"
    is_within = not value.reserved - evidence.netted or value.financed + value.reserved <= most
    yield invariant, is_within, f"financed {value.financed}, reserved {value.reserved} of {most}"


def _paid(evidence: _Evidence) -> Iterator[Check]:
    """Checks I5: settled and returned amounts are part of the value; beyond that they are excess, or in breach."""
    value = evidence.value
    paid = value.settled + value.returned
    yield "I5", paid <= value.declared + value.shortfall, f"settled {value.settled} of {value.declared}"


def _exclusive(evidence: _Evidence) -> Iterator[Check]:
    """Checks I6: each class has one holder, unless all rank equally."""
    for asset_class in AssetClass:
        held = [
            encumbrance
            for encumbrance in evidence.standing
            if encumbrance.asset_class is asset_class and item_of(encumbrance, evidence.asset.name).outstanding
        ]
        holders = {encumbrance.holder for encumbrance in held}
        is_held_well = len(holders) <= 1 or all(encumbrance.pari_passu for encumbrance in held)
        yield "I6", is_held_well, f"{asset_class} held by {sorted(holders)}"
    expected_holders = {
        Standing(encumbrance.asset_class, encumbrance.holder, encumbrance.pari_passu)
        for encumbrance in evidence.standing
    }
    yield (
        "R1",
        expected_holders == evidence.holders,
        f"{len(expected_holders)} hold it, {len(evidence.holders)} are said to",
    )


def _breached(evidence: _Evidence) -> Iterator[Check]:
    """Checks I7: a shortfall is in breach, exactly; the asset is frozen, and nothing is free beside it."""
    value = evidence.value
    for asset_class in AssetClass:
        open_breaches = [breach for breach in evidence.breaches if breach.asset_class is asset_class]
        short, zero = value_model.short_of(value, asset_class), value.free.zero()
        in_breach = sum((breach.open_amount for breach in open_breaches), zero)
        yield "I7", short == in_breach, f"{asset_class} falls short by {short}, in breach are {in_breach}"
        for breach in open_breaches:
            shares = sum((share.open for share in breach.shares), zero)
            yield "I7", shares == breach.open_amount, f"{breach.name}: {breach.open_amount} open, shares {shares}"
            yield "I7", breach.name in evidence.freezes, f"{breach.name} is open, the asset isn't frozen by it"
    is_used_up = not value.shortfall or not (value.free or value.margin)
    yield "I7", is_used_up, f"short by {value.shortfall} while {value.free} is free, margin {value.margin}"
    yield "I7", value.shortfall <= value.financed, f"short by {value.shortfall}, financed {value.financed}"


def _held(evidence: _Evidence) -> Iterator[Check]:
    """Checks R1 and R2: the rows of encumbrances hold what the ledger holds."""
    value, name, zero = evidence.value, evidence.asset.name, evidence.value.free.zero()

    def total(asset_class: AssetClass, *states: State) -> Money:
        held = (
            encumbrance
            for encumbrance in evidence.standing
            if encumbrance.state in states and encumbrance.asset_class is asset_class
        )
        return sum((item_of(encumbrance, name).outstanding for encumbrance in held), zero)

    financed = total(AssetClass.RECEIVABLE, State.CONFIRMED)
    reserved = total(AssetClass.RECEIVABLE, State.RESERVED) + evidence.netted
    insured = total(AssetClass.INSURANCE, State.RESERVED, State.CONFIRMED)
    yield "R1", financed == value.financed, f"rows finance {financed}, the ledger {value.financed}"
    yield "R1", insured == value.insured, f"rows insure {insured}, the ledger {value.insured}"
    yield "R2", reserved == value.reserved, f"rows reserve {reserved}, the ledger {value.reserved}"


RULES: Sequence[Callable[[_Evidence], Iterator[Check]]] = (
    _sums,
    _insured,
    _netted,
    _capped,
    _paid,
    _exclusive,
    _breached,
    _held,
)
