"""Nets finance before shipment out of the declarations shipped under it, and rolls it onto them (I3).

It stands on the core (moving/), which moves value and ends reservations and knows nothing of netting: after a change of
assets, `rebalance` works off the orders among them until nothing moves any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from chassis import database, ids
from chassis.command import Transaction
from chassis.money import Money
from chassis.records import Conflict
from ledger.model import Kind, Transfer
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset, AssetClass, collection
from services.declarations.register.breach import lifecycle as breach_lifecycle
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
from services.declarations.register.moving import ending, forcing
from services.declarations.register.preshipment import model, store
from services.declarations.register.preshipment.assets import as_asset
from services.declarations.register.preshipment.model import Link, PreShipment
from services.declarations.register.sale import store as sale_store
from services.declarations.register.value import store as value_store
from services.declarations.register.value.books import Books
from services.declarations.register.value.model import Move, Part, less_insurable, transfer
from trade import reference_rates
from trade.dated_tables import reads as dated_tables_reads

COLLECTION = "preShipments"
SHIPPED = "SHIPPED"


def holders_of(connection: sa.Connection, names: Iterable[str]) -> dict[str, set[Standing]]:
    """Returns the holders of each asset; the order's holders hold what is netted out of a declaration."""
    asset_names = list(names)
    netted = {
        link.declaration: link.pre_shipment for link in store.links_of(connection, asset_names).values() if link.netted
    }
    holders = encumbrance_store.holders_of(connection, {*asset_names, *netted.values()})
    for declaration, order in netted.items():
        holders[declaration] = holders.get(declaration, set()) | holders.get(order, set())
    return holders


def link_fresh(transaction: Transaction, assets: Iterable[Asset]) -> None:
    """Links assets whose value was just booked to the order or credit that each is shipped under.

    The order needn't be registered yet: once it is, what is shipped under it is there.
    """
    shipped = {asset.name: asset for asset in assets if asset.order}
    linked = store.links_of(transaction.connection, shipped)
    links = [_fresh_link(asset, asset.order) for name, asset in shipped.items() if name not in linked]
    if not links:
        return
    lock(transaction, {link.pre_shipment for link in links})
    orders = store.load(transaction.connection, [link.pre_shipment.removeprefix(f"{COLLECTION}/") for link in links])
    currencies = {order.name: order.amount.currency for order in orders.values()}
    rated = [_rated(transaction, link, currencies.get(link.pre_shipment, link.shipped.currency)) for link in links]
    store.add_links(transaction.connection, rated)
    rebalance(transaction, {link.pre_shipment for link in links})


def lock(transaction: Transaction, orders: Iterable[str]) -> None:
    """Waits for whoever registers these orders or links declarations to them: one of the two knows of the other."""
    database.lock(transaction.connection, sorted(f"{name}/links" for name in orders))


def _rated(transaction: Transaction, link: Link, currency: str) -> Link:
    """Returns the link at today's rate to the order's currency, unchanged where none is needed or there is none."""
    if currency in (link.shipped.currency, link.netted.currency):
        return link
    on = transaction.business_date
    rates = dated_tables_reads.dated_table(transaction.connection, reference_rates.TABLE)
    rate = reference_rates.reference_rate(currency, link.shipped.currency, on, rates=rates)
    return link.rated(rate, register_terms.currency_haircut(on)) if rate else link


def rate_links(transaction: Transaction, order: PreShipment) -> None:
    """Gives the links from before an order was registered their rate, so that they count in whatever currency."""
    lock(transaction, [order.name])
    for link in store.links(transaction.connection, [order.name]):
        rated = _rated(transaction, link, order.amount.currency)
        if rated is not link:
            store.save_link(transaction.connection, link, rated)


def unlink_amended(transaction: Transaction, changed: Iterable[tuple[Asset, Asset]]) -> None:
    """Takes assets, before and after an amendment, off the order that they are no longer shipped under.

    An asset stays linked while something is netted out of it: finance stands by that link.
    """
    names = [after.name for before, after in changed if after.order not in ("", before.order)]
    links = [link for link in store.links_of(transaction.connection, names).values() if not link.netted]
    for link in links:
        store.remove_link(transaction.connection, link.declaration)
    rebalance(transaction, [link.pre_shipment for link in links])


def _fresh_link(asset: Asset, order: str) -> Link:
    """Returns an asset's link to an order of which nothing is netted yet."""
    return Link(asset.name, order, asset.value, asset.value.zero(), 0)


def link(transaction: Transaction, order: PreShipment, asset: Asset) -> bool:
    """Ships an asset under the order: the order shrinks by it, and finance that stands on the order is netted.

    Returns False, with nothing done, if the asset is of another currency without a rate.
    """
    rated = _rated(transaction, _fresh_link(asset, order.name), order.amount.currency)
    if not model.counting([rated], order):
        return False
    store.remove_link(transaction.connection, asset.name)
    store.add_links(transaction.connection, [rated])
    value_store.open(transaction, [asset])
    rebalance(transaction, [order.name])
    return True


def follow(transaction: Transaction, declaration: Asset) -> None:
    """Brings a declaration's link to its value of now, and nets anew for the order."""
    if declaration.collection == COLLECTION:
        return
    link = store.links_of(transaction.connection, [declaration.name]).get(declaration.name)
    if link and link.shipped != declaration.value:
        store.save_link(transaction.connection, link, replace(link, shipped=declaration.value))
        rebalance(transaction, [link.pre_shipment])


def rebalance(transaction: Transaction, assets: Iterable[str]) -> None:
    """Nets anew for the orders among changed assets until nothing moves: booked value and netted parts follow."""
    waiting = list(_orders_among(assets))
    while waiting:
        name = waiting.pop(0)
        touched = _orders_among(_rebalance_order(transaction, name))
        waiting = [*touched, *(order for order in waiting if order not in touched)]


def _orders_among(assets: Iterable[str]) -> list[str]:
    return sorted({name for name in assets if collection(name) == COLLECTION})


def _rebalance_order(transaction: Transaction, name: str) -> Sequence[str]:
    """Nets anew for one order whose value is booked. Returns the assets whose value this moved, none if it didn't."""
    order = _known(transaction, name)
    if order is None or name not in value_store.opened(transaction.connection, [name]):
        return ()
    links = model.counting(store.links(transaction.connection, [name]), order)
    if links:
        links = _net(transaction, order, links)
    asset = as_asset(order, links, transaction.business_date)
    booked = value_store.booked(transaction.connection, [name])[name]
    return () if booked.declared == asset.value else forcing.set_declared(transaction, asset, asset.value, SHIPPED)


def _known(transaction: Transaction, name: str) -> PreShipment | None:
    """Returns the order or credit of that name, None where none is registered."""
    identifier = name.removeprefix(f"{COLLECTION}/")
    return store.load(transaction.connection, [identifier]).get(identifier)


def _net(transaction: Transaction, order: PreShipment, links: Sequence[Link]) -> list[Link]:
    """Holds on each declaration what is netted out of it for the order now. Returns the links as they are then."""
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
    return netted


def _bearable(transaction: Transaction, books: Books, order: PreShipment, links: Sequence[Link]) -> dict[str, Money]:
    """Returns how much each declaration could hold for the order's holders.

    Where another bars them (I6) that is what is netted already. Value that sales hold is left out.
    """
    names = [link.declaration for link in links]
    sold = sale_store.sold(transaction.connection, [name.removeprefix("declarations/") for name in names])
    standing = encumbrance_store.holders_of(transaction.connection, [order.name, *names])
    own = [
        order_standing
        for order_standing in standing.get(order.name, ())
        if order_standing.asset_class is AssetClass.RECEIVABLE
    ]
    free = {}
    for link in links:
        others = standing.get(link.declaration, set())
        is_barred = any(
            barring(others, order_standing.holder, order_standing.asset_class, order_standing.pari_passu)
            for order_standing in own
        )
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
    """Puts a hold of the new amount in the place of the one before."""
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


def roll(transaction: Transaction, order: PreShipment, links: Sequence[Link]) -> Money:
    """Moves confirmed finance from the order onto declarations, as much as is netted. Returns how much that was.

    Each encumbrance keeps its holder, its reference and its amount: only what it stands on changes, and on a
    declaration of another currency it is a claim at the rate and with the haircut that the link keeps.
    """
    standing = encumbrance_store.standing_on(transaction.connection, [order.name]).get(order.name, [])
    confirmed = [encumbrance for encumbrance in standing if _is_finance(encumbrance)]
    unbacked = breach_lifecycle.unbacked(
        breach_store.open_on(transaction.connection, [order.name]), AssetClass.RECEIVABLE
    )
    left = sum(model.backed(confirmed, order.name, unbacked).values(), order.amount.zero())
    rolled = order.amount.zero()
    for link in links:
        amount = min(link.netted, left - rolled)
        # In a currency with small units so little may wait that it comes to nothing on the declaration.
        if amount and _on_declaration(link, amount):
            parts = model.rolled_parts(confirmed, order.name, amount, unbacked)
            confirmed = _roll_one(
                transaction, order, link, amount, [(encumbrance, parts[encumbrance.id]) for encumbrance in confirmed]
            )
            rolled += amount
    if rolled:
        rebalance(transaction, [order.name])
    return rolled


def _is_finance(encumbrance: Encumbrance) -> bool:
    return encumbrance.state is State.CONFIRMED and encumbrance.asset_class is AssetClass.RECEIVABLE


def _roll_one(
    transaction: Transaction, order: PreShipment, link: Link, amount: Money, parts: Sequence[tuple[Encumbrance, Money]]
) -> list[Encumbrance]:
    """Moves `amount` of finance from the order to one declaration, in ledger and rows.

    Returns the encumbrances that are still on the order.
    """
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
    items = model.rolled_items(link, {encumbrance.id: part for encumbrance, part in parts}, moved_amount)
    moved = [
        _move_item(transaction, encumbrance, order.name, part, items[encumbrance.id]) for encumbrance, part in parts
    ]
    return [
        encumbrance
        for encumbrance in moved
        if any(item.asset == order.name and item.outstanding for item in encumbrance.items)
    ]


def _on_declaration(link: Link, amount: Money) -> Money:
    """Returns how much of the declaration's hold so much of the netted amount comes to."""
    return link.held - replace(link, netted=link.netted - amount).held


def _move_item(
    transaction: Transaction, encumbrance: Encumbrance, order: str, part: Money, new_item: Item
) -> Encumbrance:
    """Moves a part of an encumbrance from the order to the declaration. Returns the encumbrance."""
    if not part:
        return encumbrance
    more = _with_less(transaction, encumbrance, order, part)
    if new_item.asset in encumbrance.assets:
        more = with_item(more, joined(item_of(encumbrance, new_item.asset), new_item))
    elif new_item.amount:
        more = replace(more, items=tuple(sorted((*more.items, new_item), key=lambda item: item.asset)))
    if new_item.amount:
        encumbrance_store.add_item(transaction, encumbrance, new_item.asset)
    return encumbrance_store.save(transaction, more, "encumbrance.rolled")


def _with_less(transaction: Transaction, encumbrance: Encumbrance, order: str, amount: Money) -> Encumbrance:
    """Returns the encumbrance with so much less of the order; without the order if that was all of it."""
    item = item_of(encumbrance, order)
    if item.amount != amount:
        return with_item(encumbrance, replace(item, amount=item.amount - amount))
    encumbrance_store.drop_items(transaction, encumbrance, [order])
    return replace(encumbrance, items=tuple(other for other in encumbrance.items if other is not item))


def roll_onto(transaction: Transaction, declaration: str) -> None:
    """Rolls what is netted out of a declaration onto it, before its value is paid or taken.

    Reservations on the order that are netted too give way.
    """
    link = store.links_of(transaction.connection, [declaration]).get(declaration)
    if not link or not link.netted:
        return
    order = _known(transaction, link.pre_shipment)
    assert order is not None, f"{declaration} is netted for {link.pre_shipment}, which isn't registered"
    roll(transaction, order, [link])
    left = store.links_of(transaction.connection, [declaration])[declaration]
    if left.netted:
        _reservations_give_way(transaction, order)


def _reservations_give_way(transaction: Transaction, order: PreShipment) -> None:
    standing = encumbrance_store.standing_on(transaction.connection, [order.name]).get(order.name, [])
    reserved = ending.reserved_on(standing, AssetClass.RECEIVABLE)
    end_reservations(transaction, reserved, Verb.RELEASE)


def end_reservations(transaction: Transaction, reservations: Sequence[Encumbrance], verb: Verb) -> list[Encumbrance]:
    """Ends reservations and nets anew for the orders that they stood on. Returns them as they ended."""
    ended = ending.end_reservations(transaction, reservations, verb)
    rebalance(transaction, {asset for encumbrance in ended for asset in encumbrance.assets})
    return ended


def give_way(transaction: Transaction, asset: Asset, less: Money) -> None:
    """Rolls what is netted out of a declaration, if it is in the way of a loss of so much value."""
    link = store.links_of(transaction.connection, [asset.name]).get(asset.name)
    if link and link.netted:
        value = value_store.booked(transaction.connection, [asset.name])[asset.name]
        if value.free + value.margin < less:
            roll_onto(transaction, asset.name)
