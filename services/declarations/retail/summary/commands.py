"""Taking in summaries, and keeping their value what their lists are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis.command import Transaction
from chassis.errors import Problem
from chassis.money import Money
from services.declarations import verdicts
from services.declarations.pool import commands as pools
from services.declarations.retail.enterprise import enterprise_of
from services.declarations.retail.list import store as list_store
from services.declarations.retail.list.model import RetailList
from services.declarations.retail.summary import model, rpc, store
from services.declarations.retail.summary.model import RetailSummary
from services.declarations.retail.versions import Change, Step, step

KNOWN_OTHERWISE = Problem(
    "envelope.send_time",
    "SUMMARY_KNOWN_WITH_OTHER_CONTENT",
    "A summary of this number was sent at the same time with other content; send a change with a later time.",
    "该汇总单已在同一时间以不同内容申报；修改须以更晚的发送时间提交。",
)
# A list as it was before a batch, if it was, and as it is now.
ListChange = tuple[RetailList | None, RetailList]


@dataclass(slots=True)
class Batch:
    """What a batch of summaries is judged on, and what comes of it."""

    transaction: Transaction
    lists: Mapping[str, RetailList]
    claims: dict[str, tuple[str, bool]]
    known: dict[str, RetailSummary]
    before: Mapping[str, RetailSummary]
    enterprises: Mapping[str, str]
    claimed: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, bool] = field(default_factory=dict)
    # What of a summary is claimed now: its own numbers, kept up within the batch.
    numbers: dict[str, set[str]] = field(default_factory=dict)
    # Of the summaries that this batch brings or changes, what they have or had.
    touched: set[str] = field(default_factory=set)

    def write(self) -> None:
        """Writes summaries and claims; tells the pools which lists are summarised now."""
        connection = self.transaction.connection
        store.add(connection, [one for key, one in self.known.items() if key not in self.before])
        changed = [one for key, one in self.known.items() if key in self.before and one is not self.before[key]]
        store.save(connection, changed)
        store.claim(connection, self.claimed)
        for is_dropped in (False, True):
            meant = [number for number, dropped in self.dropped.items() if dropped is is_dropped]
            store.set_dropped(connection, meant, is_dropped)
        touched = [self.lists[number] for number in {*self.claimed, *self.dropped} if number in self.lists]
        pools.follow(self.transaction, touched)
        list_store.tell(self.transaction, (self.lists[number] for number in self.touched & self.lists.keys()))


def take(
    transaction: Transaction, rows: Sequence[tuple[str, retail_pb2.RetailSummary]]
) -> list[declarations_pb2.IntakeVerdict]:
    """Summaries: new ones, changes and deletions; the verdicts in order."""
    list_store.lock(transaction, {row.merchant_code for _, row in rows})
    batch = _load(transaction, [row for _, row in rows])
    told = [_take_one(batch, document_id, row) for document_id, row in rows]
    batch.write()
    return told


def _load(transaction: Transaction, rows: Sequence[retail_pb2.RetailSummary]) -> Batch:
    connection = transaction.connection
    identifiers = {model.summary_id(row.merchant_code, row.enterprise_number) for row in rows}
    known = store.load(connection, identifiers)
    numbers = store.numbers_of(connection, known)
    named = {number for row in rows for number in row.list_numbers} | {n for own in numbers.values() for n in own}
    lists, claims = store.lists_numbered(connection, named), store.claims(connection, named)
    enterprises = enterprise_of(connection, {row.merchant_code for row in rows})
    return Batch(transaction, lists, claims, dict(known), known, enterprises, numbers=numbers)


def _take_one(batch: Batch, document_id: str, row: retail_pb2.RetailSummary) -> declarations_pb2.IntakeVerdict:
    currency = next((batch.lists[n].value.currency for n in row.list_numbers if n in batch.lists), "")
    enterprise = batch.enterprises.get(row.merchant_code, "")
    fresh = rpc.from_row(row, enterprise, currency, batch.transaction.now_us)
    known = batch.known.get(fresh.id)
    move = step(model.version_of(known) if known else None, model.version_of(fresh))
    if known and move in (Step.KEEP, Step.TOUCH):
        if move == Step.TOUCH:
            batch.known[fresh.id] = replace(known, send_us=fresh.send_us, change=fresh.change)
        return verdicts.duplicate(document_id, fresh.name)
    problems = ([KNOWN_OTHERWISE] if move == Step.REFUSE else []) + _problems(batch, fresh, row)
    if problems:
        return verdicts.refused(document_id, problems, batch.transaction.caller.language)
    _put(batch, fresh, known, row)
    return verdicts.accepted(document_id, fresh.name)


def _problems(batch: Batch, fresh: RetailSummary, row: retail_pb2.RetailSummary) -> list[Problem]:
    """Every list that refuses the summary whole, with each reason."""
    found = []
    for index, number in enumerate(row.list_numbers):
        path = f"list_numbers[{index}]"
        if batch.claims.get(number, (fresh.id, False))[0] != fresh.id:
            found.append(model.taken(path, number))
        found += model.misfits(path, fresh, batch.lists.get(number))
    return found


def _put(batch: Batch, fresh: RetailSummary, known: RetailSummary | None, row: retail_pb2.RetailSummary) -> None:
    wanted = set() if fresh.change == Change.DELETE else set(row.list_numbers)
    had = batch.numbers.get(fresh.id, set())
    for number in sorted(wanted - had):
        if number not in batch.claims:
            batch.claimed[number] = fresh.id
        else:
            batch.dropped[number] = False
        batch.claims[number] = (fresh.id, False)
    for number in sorted(had - wanted):
        batch.dropped[number] = True
        batch.claims[number] = (fresh.id, True)
    batch.numbers[fresh.id] = wanted
    batch.touched |= wanted | had
    value = sum(model.counted(fresh, batch.lists.get(number)) for number in wanted)
    one = replace(fresh, value=Money(fresh.value.currency, value))
    batch.known[fresh.id] = replace(one, create_us=known.create_us, revision=known.revision) if known else one


def follow(transaction: Transaction, changes: Sequence[ListChange]) -> None:
    """Moves the value of summaries whose lists came, were released, came back. The caller holds their locks."""
    connection = transaction.connection
    backed = store.of_lists(connection, [after for _, after in changes])
    if not backed:
        return
    summaries = store.load(connection, set(backed.values()))
    moved: dict[str, RetailSummary] = {}
    for before, after in changes:
        if after.id in backed:
            key = backed[after.id]
            moved[key] = _moved(moved.get(key, summaries[key]), before, after)
    store.save(connection, [one for key, one in moved.items() if one != summaries[key]])


def _moved(summary: RetailSummary, before: RetailList | None, after: RetailList) -> RetailSummary:
    if summary.value.currency == model.UNKNOWN_CURRENCY:
        summary = replace(summary, value=Money(after.value.currency, 0))
    was = model.counted(summary, before) if before and before.list_number else 0
    change = model.counted(summary, after) - was
    return replace(summary, value=Money(summary.value.currency, summary.value.minor_units + change))
