"""Taking in summaries, and keeping their value what their lists are worth."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis.command import Transaction
from chassis.errors import Problem
from chassis.money import Money
from services.declarations.assets.pool import commands as pool_commands
from services.declarations.window import verdicts
from services.declarations.window.retail.enterprise import enterprise_of
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.model import RetailList
from services.declarations.window.retail.report import store as report_store
from services.declarations.window.retail.result import store as result_store
from services.declarations.window.retail.summary import model as summary_model
from services.declarations.window.retail.summary import rpc as summary_rpc
from services.declarations.window.retail.summary import store as summary_store
from services.declarations.window.retail.summary.model import Part, RetailSummary
from services.declarations.window.retail.versions import Step, step

KNOWN_OTHERWISE = Problem(
    "envelope.send_time",
    "SUMMARY_KNOWN_WITH_OTHER_CONTENT",
    "This summary, or this part of it, was sent already with other content; send a change (appType 2), later.",
    "该汇总单（或其同一序号的报文）已以不同内容申报；修改须以变更方式（报送类型 2）并以更晚的发送时间提交。",
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
    parts: dict[str, dict[int, Part]]
    # By summary: the lists that customs' results name.
    results: Mapping[str, set[str]]
    fresh_parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, bool] = field(default_factory=dict)
    # What of a summary is claimed now: its own numbers, kept up within the batch.
    numbers: dict[str, set[str]] = field(default_factory=dict)
    # Of the summaries that this batch brings or changes, what they have or had.
    touched: set[str] = field(default_factory=set)

    def put_part(self, part: Part) -> None:
        """A part as it was sent last."""
        self.parts.setdefault(part.summary, {})[part.number] = part
        self.fresh_parts[part.summary, part.number] = part

    def write(self) -> None:
        """Writes summaries, parts and claims; tells the pools which lists are summarised now."""
        connection = self.transaction.connection
        summary_store.add(connection, [summary for key, summary in self.known.items() if key not in self.before])
        changed = [
            summary for key, summary in self.known.items() if key in self.before and summary is not self.before[key]
        ]
        summary_store.save(connection, changed)
        summary_store.put_parts(connection, self.fresh_parts.values())
        summary_store.claim(connection, self.claimed)
        for is_dropped in (False, True):
            meant = [number for number, dropped in self.dropped.items() if dropped is is_dropped]
            summary_store.set_dropped(connection, meant, is_dropped)
        touched = [self.lists[number] for number in {*self.claimed, *self.dropped} if number in self.lists]
        pool_commands.follow(self.transaction, touched)
        list_store.tell(self.transaction, (self.lists[number] for number in self.touched & self.lists.keys()))


def take(
    transaction: Transaction, rows: Sequence[tuple[str, retail_pb2.RetailSummary]]
) -> list[declarations_pb2.IntakeVerdict]:
    """Summaries, whole or in parts: new ones, changes and deletions; the verdicts in order."""
    list_store.lock(transaction, {row.merchant_code for _, row in rows})
    arrivals = [summary_rpc.part_of(row, transaction.now_us) for _, row in rows]
    batch = _load(transaction, {part.summary for part in arrivals}, arrivals, {row.merchant_code for _, row in rows})
    told = [_take_one(batch, document_id, part) for (document_id, _), part in zip(rows, arrivals, strict=True)]
    batch.write()
    return told


def renumbered(transaction: Transaction, summary_numbers: Iterable[str], merchant_codes: Iterable[str]) -> None:
    """Customs gave summaries their numbers, or told what became of them: those by time get the lists it named."""
    list_store.lock(transaction, merchant_codes)
    meant = report_store.summaries_numbered(transaction.connection, summary_numbers)
    batch = _load(transaction, meant, (), ())
    for identifier in sorted(batch.before):
        summary = batch.known[identifier]
        parts = summary_model.counting(batch.parts[identifier])
        if summary_rpc.is_by_time(parts):
            _put(batch, _summed(batch, parts, summary.enterprise), parts)
    batch.write()


def _load(
    transaction: Transaction, identifiers: Collection[str], arrivals: Sequence[Part], merchant_codes: Collection[str]
) -> Batch:
    connection = transaction.connection
    known, parts = summary_store.load(connection, identifiers), summary_store.parts_of(connection, identifiers)
    numbers = summary_store.numbers_of(connection, identifiers)
    found = result_store.lists_of_summaries(connection, report_store.summary_numbers(connection, identifiers))
    stored = [part for some in parts.values() for part in some.values()]
    named = {*summary_rpc.lists_of([*arrivals, *stored])}.union(*numbers.values(), *found.values())
    lists, claims = summary_store.lists_numbered(connection, named), summary_store.claims(connection, named)
    enterprises = enterprise_of(connection, merchant_codes)
    return Batch(transaction, lists, claims, dict(known), known, enterprises, parts, found, numbers=numbers)


def _take_one(batch: Batch, document_id: str, part: Part) -> declarations_pb2.IntakeVerdict:
    known = summary_model.measure(batch.parts[part.summary], part.number)
    move = step(known.version if known else None, part.version)
    name = f"retailSummaries/{part.summary}"
    if known and move in (Step.KEEP, Step.TOUCH):
        if move == Step.TOUCH:
            _touch(batch, replace(known, send_us=part.send_us, change=part.change, count=part.count))
        return verdicts.duplicate(document_id, name)
    parts = summary_model.counting({**batch.parts[part.summary], part.number: part})
    fresh = _summed(batch, parts or [part], batch.enterprises.get(summary_rpc.said(part).merchant_code, ""))
    problems = ([KNOWN_OTHERWISE] if move == Step.REFUSE else []) + _problems(batch, fresh, part)
    if problems:
        return verdicts.refused(document_id, problems, batch.transaction.caller.language)
    batch.put_part(part)
    _put(batch, fresh, parts)
    return verdicts.accepted(document_id, name)


def _touch(batch: Batch, part: Part) -> None:
    """The same part again, sent later: only the time moves, and perhaps how many parts there are."""
    batch.put_part(part)
    parts = summary_model.counting(batch.parts[part.summary])
    _put(batch, _summed(batch, parts or [part], batch.known[part.summary].enterprise), parts)


def _summed(batch: Batch, parts: Sequence[Part], enterprise: str) -> RetailSummary:
    """The record that these parts make, in the currency of the first of its lists that is known."""
    numbers = [*summary_rpc.lists_of(parts), *sorted(batch.results.get(parts[0].summary, ()))]
    currency = next((batch.lists[number].value.currency for number in numbers if number in batch.lists), "")
    return summary_rpc.from_part(summary_model.newest(parts), enterprise, currency, batch.transaction.now_us)


def _problems(batch: Batch, fresh: RetailSummary, part: Part) -> list[Problem]:
    """Every list that refuses the part whole, with each reason."""
    found = []
    for index, number in enumerate(summary_rpc.said(part).list_numbers):
        path = f"list_numbers[{index}]"
        if batch.claims.get(number, (fresh.id, False))[0] != fresh.id:
            found.append(summary_model.taken(path, number))
        found += summary_model.misfits(path, fresh, batch.lists.get(number))
    return found


def _wanted(batch: Batch, identifier: str, parts: Sequence[Part]) -> set[str]:
    """The lists of a summary of these parts: those they name, or those that customs names and no other has."""
    if not summary_rpc.is_by_time(parts):
        return set(summary_rpc.lists_of(parts))
    named = batch.results.get(identifier, set())
    return {number for number in named if batch.claims.get(number, (identifier, False))[0] == identifier}


def _put(batch: Batch, fresh: RetailSummary, parts: Sequence[Part]) -> None:
    """A summary as its parts make it, with what it claims and drops."""
    wanted, had = _wanted(batch, fresh.id, parts), batch.numbers.get(fresh.id, set())
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
    value = sum(summary_model.counted(fresh, batch.lists.get(number)) for number in wanted)
    summary = replace(fresh, value=Money(fresh.value.currency, value))
    known = batch.known.get(fresh.id)
    batch.known[fresh.id] = replace(summary, create_us=known.create_us, revision=known.revision) if known else summary


def follow(transaction: Transaction, changes: Sequence[ListChange]) -> None:
    """Moves the value of summaries whose lists came, were released, came back. The caller holds their locks."""
    connection = transaction.connection
    backed = summary_store.of_lists(connection, [after for _, after in changes])
    if not backed:
        return
    summaries = summary_store.load(connection, set(backed.values()))
    moved: dict[str, RetailSummary] = {}
    for before, after in changes:
        if after.id in backed:
            key = backed[after.id]
            moved[key] = _moved(moved.get(key, summaries[key]), before, after)
    summary_store.save(connection, [summary for key, summary in moved.items() if summary != summaries[key]])


def _moved(summary: RetailSummary, before: RetailList | None, after: RetailList) -> RetailSummary:
    if summary.value.currency == summary_model.UNKNOWN_CURRENCY:
        summary = replace(summary, value=Money(after.value.currency, 0))
    was = summary_model.counted(summary, before) if before and before.list_number else 0
    change = summary_model.counted(summary, after) - was
    return replace(summary, value=Money(summary.value.currency, summary.value.minor_units + change))
