"""What is financed before shipment is netted out of the declarations shipped under it, and rolled onto them (I3)."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import database, ids
from chassis.command import Transaction
from chassis.money import Money
from chassis.records import Conflict
from ledger.model import Kind, Transfer
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.breach import register as breach_register
from services.declarations.register.breach import store as breach_store
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import (
    Encumbrance,
    Item,
    Standing,
    State,
    Verb,
    barring,
    item_of,
    joined,
    with_item,
)
from services.declarations.register.preshipment import model, store
from services.declarations.register.preshipment.assets import as_asset
from services.declarations.register.preshipment.model import Link, PreShipment
from services.declarations.register.sale import store as sale_store
from services.declarations.register.value import store as value_store
from services.declarations.register.value.books import Books
from services.declarations.register.value.model import Move, Part, less_insurable, transfer
from services.declarations.window.declaration import assets as declaration_assets
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Declaration

COLLECTION = "preShipments"
SHIPPED = "SHIPPED"


def holders_of(connection: sa.Connection, names: Iterable[str]) -> dict[str, set[Standing]]:
    """Who holds something of each asset; what is netted out of a declaration is held by the order's holders."""
    wanted = list(names)
    netted = {
        link.declaration: link.pre_shipment for link in store.links_of(connection, wanted).values() if link.netted
    }
    found = encumbrance_store.holders_of(connection, {*wanted, *netted.values()})
    for declaration, order in netted.items():
        found[declaration] = found.get(declaration, set()) | found.get(order, set())
    return found


def link_fresh(transaction: Transaction, fresh: Iterable[Asset]) -> None:
    """Links declarations whose value was just booked to the order or credit of their contract number.

    Also to one that isn't registered yet: once it is, what is shipped under it is known.
    """
    names = [one.name for one in fresh if one.collection == "declarations"]
    if not names:
        return
    found = declaration_store.load(transaction.connection, [name.removeprefix("declarations/") for name in names])
    known = store.links_of(transaction.connection, names)
    links = [made for one in found.values() if one.name not in known and (made := _link_of(transaction, one))]
    if not links:
        return
    lock(transaction, {link.pre_shipment for link in links})
    orders = store.load(transaction.connection, [link.pre_shipment.removeprefix(f"{COLLECTION}/") for link in links])
    currencies = {one.name: one.amount.currency for one in orders.values()}
    rated = [_rated(transaction, one, currencies.get(one.pre_shipment, one.shipped.currency)) for one in links]
    store.add_links(transaction.connection, rated)
    rebalance(transaction, {link.pre_shipment for link in links})


def lock(transaction: Transaction, orders: Iterable[str]) -> None:
    """Waits for who registers these orders or links declarations to them: one of the two knows of the other."""
    database.lock(transaction.connection, sorted(f"{name}/links" for name in orders))


def _rated(transaction: Transaction, link: Link, currency: str) -> Link:
    """The link at today's rate to the order's currency, if that is another and there is one."""
    if currency in (link.shipped.currency, link.netted.currency):
        return link
    on = transaction.business_date
    rate = register_terms.exchange_rate(currency, link.shipped.currency, on)
    return link.rated(currency, rate, register_terms.currency_haircut(on)) if rate else link


def rate_links(transaction: Transaction, order: PreShipment) -> None:
    """What was linked before the order was registered counts from now, in whatever currency."""
    lock(transaction, [order.name])
    for link in store.links(transaction.connection, [order.name]):
        rated = _rated(transaction, link, order.amount.currency)
        if rated is not link:
            store.save_link(transaction.connection, link, rated)


def unlink_amended(transaction: Transaction, changed: Iterable[tuple[Declaration, Declaration]]) -> None:
    """Declarations, before and after, whose contract number was amended to another are shipped under the old no more.

    What is netted stays where it is: finance stands by that link.
    """
    names = [after.name for before, after in changed if _contract(after) not in ("", _contract(before))]
    links = [one for one in store.links_of(transaction.connection, names).values() if not one.netted]
    for one in links:
        store.remove_link(transaction.connection, one.declaration)
    _rebalance(transaction, {one.pre_shipment for one in links}, has_shipped=False)


def _contract(declaration: Declaration) -> str:
    return model.normalised(declarations_pb2.Declaration.FromString(declaration.body).contract_number)


def _link_of(transaction: Transaction, declaration: Declaration) -> Link | None:
    """By its contract number; None where it has none."""
    contract = _contract(declaration)
    order = f"{COLLECTION}/{model.identifier(declaration.enterprise, contract)}"
    value = declaration_assets.as_asset(declaration, transaction.business_date).value
    return Link(declaration.name, order, value, value.zero(), 0) if contract else None


def link(transaction: Transaction, order: PreShipment, declaration: Declaration) -> bool:
    """One declaration is shipped under the order: the order shrinks, and what stands on it is netted.

    False, and nothing is done, if it is of another currency without a rate.
    """
    asset = declaration_assets.as_asset(declaration, transaction.business_date)
    fresh = Link(asset.name, order.name, asset.value, asset.value.zero(), 0)
    rated = _rated(transaction, fresh, order.amount.currency)
    if not model.counting([rated], order):
        return False
    store.remove_link(transaction.connection, asset.name)
    store.add_links(transaction.connection, [rated])
    value_store.open(transaction, [asset])
    rebalance(transaction, [order.name])
    return True


def follow(transaction: Transaction, declaration: Asset) -> None:
    """What is shipped under an order counts as the declaration does now."""
    if declaration.collection == COLLECTION:
        return
    known = store.links_of(transaction.connection, [declaration.name]).get(declaration.name)
    if known and known.shipped != declaration.value:
        store.save_link(transaction.connection, known, replace(known, shipped=declaration.value))
        rebalance(transaction, [known.pre_shipment])


def rebalance(transaction: Transaction, assets: Iterable[str]) -> None:
    """After anything changed on orders: their booked value and what is netted follow."""
    names = {name for name in assets if name.startswith(f"{COLLECTION}/")}
    if names:
        _rebalance(transaction, names, has_shipped=True)


def _rebalance(transaction: Transaction, names: AbstractSet[str], has_shipped: bool) -> None:
    """Of these orders; with `has_shipped` of those alone under which something is shipped."""
    links = store.links(transaction.connection, names)
    known = store.load(transaction.connection, [name.removeprefix(f"{COLLECTION}/") for name in names])
    for one in known.values():
        own = model.counting(links, one)
        if (own or not has_shipped) and one.name in value_store.opened(transaction.connection, [one.name]):
            _rebalance_one(transaction, one, own)


def _rebalance_one(transaction: Transaction, order: PreShipment, links: Sequence[Link]) -> None:
    left = model.remaining(order.amount, links)
    books = Books(transaction, [order.name, *(link.declaration for link in links)], [_void(link) for link in links])
    # Read again under the locks of their accounts: another may just have netted, too.
    if model.counting(store.links(transaction.connection, [order.name]), order) != links:
        raise Conflict(f"what is shipped under {order.name}")
    cap = register_terms.advance_cap(COLLECTION, transaction.business_date)
    wanted = model.to_net(books.value(order.name), left, cap)
    parts = model.spread(wanted, _bearable(transaction, books, order, links))
    netted = [replace(link, netted=parts[link.declaration]) for link in links]
    for before, after in zip(links, netted, strict=True):
        _hold(transaction, books, before, after)
    books.write()
    _revalue(transaction, order, netted)


def _bearable(transaction: Transaction, books: Books, order: PreShipment, links: Sequence[Link]) -> dict[str, Money]:
    """What each declaration could hold for the order's holders: none where another bars them (I6), or its sales."""
    names = [link.declaration for link in links]
    sold = sale_store.sold(transaction.connection, [name.removeprefix("declarations/") for name in names])
    standing = encumbrance_store.holders_of(transaction.connection, [order.name, *names])
    own = [one for one in standing.get(order.name, ()) if one.asset_class is AssetClass.RECEIVABLE]
    free = {}
    for link in links:
        others = standing.get(link.declaration, set())
        is_barred = any(barring(others, one.holder, one.asset_class, one.pari_passu) for one in own)
        value = books.value(link.declaration)
        zero = value.free.zero()
        unsold = max(value.free - sold.get(link.declaration.removeprefix("declarations/"), zero), zero)
        free[link.declaration] = link.netted if is_barred else link.bears(unsold + link.held)
    return free


def _void(link: Link) -> Transfer:
    return Transfer(
        ids.derived(link.hold_id, "void"), kind=Kind.VOID, pending_id=link.hold_id, code="netted",
        reference=link.pre_shipment,
    )  # fmt: skip


def _hold(transaction: Transaction, books: Books, before: Link, after: Link) -> None:
    """A hold of another amount takes the place of the one before."""
    if before.netted == after.netted:
        return
    after = replace(after, hold_number=before.hold_number + 1)
    steps = [_void(before)] if before.netted else []
    if after.netted:
        move = Move(Part.FREE, Part.FINANCED, after.held)
        pending = transfer(after.hold_id, after.declaration, move, "netted", after.pre_shipment)
        steps.append(replace(pending, kind=Kind.PENDING))
    books.attempt(steps)
    store.save_link(transaction.connection, before, after)


def _revalue(transaction: Transaction, order: PreShipment, links: Sequence[Link]) -> None:
    """The order's booked value; what declarations can't bear of what stands on it falls short."""
    # Not above: they call this room after every change of theirs.

    asset = as_asset(order, links, transaction.business_date)
    commands.revalue(transaction, asset, asset.value, SHIPPED)


def roll(transaction: Transaction, order: PreShipment, links: Sequence[Link]) -> Money:
    """Moves confirmed finance from the order onto declarations, as much as is netted; how much that was.

    Each encumbrance keeps its holder, its reference and its amount: only what it stands on changes, and on a
    declaration of another currency it is a claim at the rate and with the haircut that the link keeps.
    """
    standing = encumbrance_store.standing_on(transaction.connection, [order.name]).get(order.name, [])
    confirmed = [one for one in standing if _is_finance(one)]
    unbacked = breach_register.unbacked(
        breach_store.open_on(transaction.connection, [order.name]), AssetClass.RECEIVABLE
    )
    left = sum(model.backed(confirmed, order.name, unbacked).values(), order.amount.zero())
    rolled = order.amount.zero()
    for link in links:
        amount = min(link.netted, left - rolled)
        # Of a currency with small units so little may wait that it is nothing on the declaration.
        if amount and _on_declaration(link, amount):
            parts = model.rolled_parts(confirmed, order.name, amount, unbacked)
            confirmed = _roll_one(transaction, order, link, amount, [(one, parts[one.id]) for one in confirmed])
            rolled += amount
    if rolled:
        rebalance(transaction, [order.name])
    return rolled


def _is_finance(one: Encumbrance) -> bool:
    return one.state is State.CONFIRMED and one.asset_class is AssetClass.RECEIVABLE


def _roll_one(
    transaction: Transaction, order: PreShipment, link: Link, amount: Money, parts: Sequence[tuple[Encumbrance, Money]]
) -> list[Encumbrance]:
    """In the ledger, and in the rows of those whose finance moves; those that are left on the order."""
    books = Books(transaction, [order.name, link.declaration], [_void(link)])
    after = replace(link, netted=link.netted - amount)
    moved_amount = _on_declaration(link, amount)
    _hold(transaction, books, link, after)
    books.move(link.declaration, [Move(Part.FREE, Part.FINANCED, moved_amount)], "roll", order.name)
    value = books.value(order.name)
    books.move(
        order.name, [Move(Part.FINANCED, Part.DECLARED, amount), *less_insurable(value, amount)], "roll", order.name
    )
    books.write()
    items = model.rolled_items(link, {one.id: part for one, part in parts}, moved_amount)
    moved = [_move_item(transaction, one, order.name, part, items[one.id]) for one, part in parts]
    return [one for one in moved if any(item.asset == order.name and item.outstanding for item in one.items)]


def _on_declaration(link: Link, amount: Money) -> Money:
    """What so much of the netted amount is on the declaration: what its hold is larger by."""
    return link.held - replace(link, netted=link.netted - amount).held


def _move_item(transaction: Transaction, one: Encumbrance, order: str, part: Money, fresh: Item) -> Encumbrance:
    """A part of an encumbrance stands on the declaration from now."""
    if not part:
        return one
    more = _with_less(transaction, one, order, part)
    if fresh.asset in one.assets:
        more = with_item(more, joined(item_of(one, fresh.asset), fresh))
    elif fresh.amount:
        more = replace(more, items=tuple(sorted((*more.items, fresh), key=lambda each: each.asset)))
    if fresh.amount:
        encumbrance_store.add_item(transaction, one, fresh.asset)
    return encumbrance_store.save(transaction, more, "encumbrance.rolled")


def _with_less(transaction: Transaction, one: Encumbrance, order: str, amount: Money) -> Encumbrance:
    """The encumbrance with so much less of the order; without the order if that was all of it."""
    item = item_of(one, order)
    if item.amount != amount:
        return with_item(one, replace(item, amount=item.amount - amount))
    encumbrance_store.drop_items(transaction, one, [order])
    return replace(one, items=tuple(other for other in one.items if other is not item))


def roll_onto(transaction: Transaction, declaration: str) -> None:
    """Before a declaration's value is paid or taken: what is netted out of it stands on it from now.

    Reservations on the order that are netted too give way.
    """
    known = store.links_of(transaction.connection, [declaration]).get(declaration)
    if not known or not known.netted:
        return
    order = _order(transaction, known)
    roll(transaction, order, [known])
    left = store.links_of(transaction.connection, [declaration])[declaration]
    if left.netted:
        _reservations_give_way(transaction, order)


def _order(transaction: Transaction, link: Link) -> PreShipment:
    identifier = link.pre_shipment.removeprefix(f"{COLLECTION}/")
    return store.load(transaction.connection, [identifier])[identifier]


def _reservations_give_way(transaction: Transaction, order: PreShipment) -> None:
    # Not above, for the same reason.
    from services.declarations.register.moving import ending

    standing = encumbrance_store.standing_on(transaction.connection, [order.name]).get(order.name, [])
    reserved = ending.reserved_on(standing, AssetClass.RECEIVABLE)
    ending.end_reservations(transaction, reserved, Verb.RELEASE)


def give_way(transaction: Transaction, asset: Asset, less: Money) -> None:
    """Before so much of a declaration's value is taken: what is netted out of it is rolled, if that is in the way."""
    known = store.links_of(transaction.connection, [asset.name]).get(asset.name)
    if known and known.netted:
        value = value_store.booked(transaction.connection, [asset.name])[asset.name]
        if value.free + value.margin < less:
            roll_onto(transaction, asset.name)
