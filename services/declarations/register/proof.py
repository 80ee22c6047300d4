"""Proves the register's invariants (docs/invariants.md) from its rows and its ledger: of some assets, or of all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa

from chassis.money import Money
from ledger import store as ledger
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
class _Found:
    """An asset with all that is known of it; `netted` is what of its reserved value orders hold."""

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
    """Of every asset whose value is booked, and of everything that stands on one whose value isn't."""
    found = [f"R1: {name} carries encumbrances without booked value" for name in _unbooked(connection)]
    names = _names(connection)
    for start in range(0, len(names), AT_ONCE):
        found += of_assets(kinds, connection, names[start : start + AT_ONCE])
    return found


def _names(connection: sa.Connection) -> list[str]:
    """The assets whose value is booked, by the reference of their accounts: one look at all of them."""
    prefix, reference = f"{Part.FREE.value} ", account_rows.c.reference
    is_free = sa.and_(account_rows.c.book == value_model.BOOK, reference > prefix, reference < f"{prefix}~")
    found = connection.execute(sa.select(reference).where(is_free)).scalars()
    return sorted(name.removeprefix(prefix) for name in found)


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
    """Of these assets, those that are booked: which invariant doesn't hold, and where."""
    return [
        f"{invariant}: {found.asset.name}: {detail}"
        for found in _load(kinds, connection, names)
        for invariant, holds, detail in _checks(found)
        if not holds
    ]


def _checks(found: _Found) -> Iterator[Check]:
    for rule in RULES:
        yield from rule(found)


def _load(kinds: Kinds, connection: sa.Connection, names: Sequence[str]) -> Iterator[_Found]:
    accounts = ledger.accounts(connection, [part_id(name, part) for name in names for part in Part])
    assets = load_assets(kinds, connection, names, ANY_DAY)
    standing = encumbrance_store.standing_on(connection, names)
    holders = encumbrance_store.holders_of(connection, names)
    known = _by_asset(breach_store.open_on(connection, names))
    freezes = value_store.frozen(connection, names)
    netted = preshipment_store.links_of(connection, names)
    orders = preshipment_store.load(connection, [name.removeprefix("preShipments/") for name in names])
    under = preshipment_store.links(connection, names)
    for name, asset in assets.items():
        if part_id(name, Part.FREE) in accounts:
            zero = asset.value.zero()
            yield _Found(
                asset,
                value_model.value_of(accounts, name),
                _declared(accounts, name),
                terms.advance_cap(asset.collection, date.max),
                standing.get(name, ()),
                known.get(name, ()),
                freezes.get(name, ()),
                netted[name].held if name in netted else zero,
                holders.get(name, frozenset()),
                order := orders.get(name.removeprefix("preShipments/")),
                preshipment_model.counting(under, order) if order else (),
            )


def _declared(accounts: Mapping[str, Account], name: str) -> Money:
    account = accounts[part_id(name, Part.DECLARED)]
    return Money(account.currency, -account.balance)


def _by_asset(found: Iterable[Breach]) -> dict[str, list[Breach]]:
    sorted_out: dict[str, list[Breach]] = {}
    for breach in found:
        sorted_out.setdefault(breach.asset, []).append(breach)
    return sorted_out


def _sums(found: _Found) -> Iterator[Check]:
    """I1: the parts come to what is declared; none is negative."""
    value, booked = found.value, found.declared + found.value.excess
    negative = [name for name, amount in value.parts().items() if amount.minor_units < 0]
    yield "I1", value.declared == found.declared, f"its parts are {value.declared}, booked are {booked}"
    yield "I1", value.declared == found.asset.value, f"booked are {value.declared}, declared {found.asset.value}"
    yield "I1", not negative, f"negative: {negative}"


def _insured(found: _Found) -> Iterator[Check]:
    """I2: no more is insured than is owed, but for a breach."""
    value = found.value
    insurable = value.unpaid + value.insured_shortfall
    yield "I2", value.insurable + value.insured == insurable, f"insured {value.insured} of {insurable}"
    yield "I2", value.insured <= insurable, f"insured {value.insured} of {insurable}"


def _netted(found: _Found) -> Iterator[Check]:
    """I3: the order is booked at what remains and what is netted, and no more is netted than is too much on it."""
    if found.order is None or not found.links:
        return
    left = preshipment_model.remaining(found.order.amount, found.links)
    netted = sum((link.netted for link in found.links), left.zero())
    wanted = preshipment_model.to_net(found.value, left, found.cap)
    yield "I3", netted <= wanted, f"netted {netted} of {wanted}"
    yield "I3", found.value.declared == left + netted, f"booked {found.value.declared} for {left} and {netted}"


def _capped(found: _Found) -> Iterator[Check]:
    """I4 and the cap: nothing is reserved beyond what may be financed."""
    value, most = found.value, found.asset.value.times(found.cap)
    invariant = "I4" if found.asset.collection == "rebates" else "cap"
    is_within = not value.reserved - found.netted or value.financed + value.reserved <= most
    yield invariant, is_within, f"financed {value.financed}, reserved {value.reserved} of {most}"


def _paid(found: _Found) -> Iterator[Check]:
    """I5: what is settled or returned is part of the value; beyond that it is excess, or in breach."""
    value = found.value
    paid = value.settled + value.returned
    yield "I5", paid <= value.declared + value.shortfall, f"settled {value.settled} of {value.declared}"


def _exclusive(found: _Found) -> Iterator[Check]:
    """I6: one holder of each class, unless all rank equally."""
    for asset_class in AssetClass:
        held = [
            encumbrance
            for encumbrance in found.standing
            if encumbrance.asset_class is asset_class and item_of(encumbrance, found.asset.name).outstanding
        ]
        holders = {encumbrance.holder for encumbrance in held}
        is_held_well = len(holders) <= 1 or all(encumbrance.pari_passu for encumbrance in held)
        yield "I6", is_held_well, f"{asset_class} held by {sorted(holders)}"
    found_standing = {
        Standing(encumbrance.asset_class, encumbrance.holder, encumbrance.pari_passu) for encumbrance in found.standing
    }
    yield "R1", found_standing == found.holders, f"{len(found_standing)} hold it, {len(found.holders)} are said to"


def _breached(found: _Found) -> Iterator[Check]:
    """I7: what falls short is in breach, exactly; it is frozen, and nothing is free beside it."""
    value = found.value
    for asset_class in AssetClass:
        open_ones = [each_breach for each_breach in found.breaches if each_breach.asset_class is asset_class]
        short, zero = value_model.short_of(value, asset_class), value.free.zero()
        in_breach = sum((open_one.open_amount for open_one in open_ones), zero)
        yield "I7", short == in_breach, f"{asset_class} falls short by {short}, in breach are {in_breach}"
        for breach in open_ones:
            shares = sum((share.open for share in breach.shares), zero)
            yield "I7", shares == breach.open_amount, f"{breach.name}: {breach.open_amount} open, shares {shares}"
            yield "I7", breach.name in found.freezes, f"{breach.name} is open, the asset isn't frozen by it"
    is_used_up = not value.shortfall or not (value.free or value.margin)
    yield "I7", is_used_up, f"short by {value.shortfall} while {value.free} is free, margin {value.margin}"
    yield "I7", value.shortfall <= value.financed, f"short by {value.shortfall}, financed {value.financed}"


def _held(found: _Found) -> Iterator[Check]:
    """R1, R2: the rows of encumbrances hold what the ledger holds."""
    value, name, zero = found.value, found.asset.name, found.value.free.zero()

    def total(asset_class: AssetClass, *states: State) -> Money:
        held = (
            encumbrance
            for encumbrance in found.standing
            if encumbrance.state in states and encumbrance.asset_class is asset_class
        )
        return sum((item_of(encumbrance, name).outstanding for encumbrance in held), zero)

    financed = total(AssetClass.RECEIVABLE, State.CONFIRMED)
    reserved = total(AssetClass.RECEIVABLE, State.RESERVED) + found.netted
    insured = total(AssetClass.INSURANCE, State.RESERVED, State.CONFIRMED)
    yield "R1", financed == value.financed, f"rows finance {financed}, the ledger {value.financed}"
    yield "R1", insured == value.insured, f"rows insure {insured}, the ledger {value.insured}"
    yield "R2", reserved == value.reserved, f"rows reserve {reserved}, the ledger {value.reserved}"


RULES: Sequence[Callable[[_Found], Iterator[Check]]] = (
    _sums,
    _insured,
    _netted,
    _capped,
    _paid,
    _exclusive,
    _breached,
    _held,
)
