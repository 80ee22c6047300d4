"""Takes summaries in, and keeps each at the value of its lists."""

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
    """The stored rows that a batch of summaries is judged by, and its outcome."""

    transaction: Transaction
    lists: Mapping[str, RetailList]
    claims: dict[str, tuple[str, bool]]
    summaries: dict[str, RetailSummary]
    before: Mapping[str, RetailSummary]
    enterprises: Mapping[str, str]
    parts: dict[str, dict[int, Part]]
    # The lists that customs' results name, by summary.
    results: Mapping[str, set[str]]
    fresh_parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, bool] = field(default_factory=dict)
    # The numbers that a summary claims now, by summary, kept up within the batch.
    numbers: dict[str, set[str]] = field(default_factory=dict)
    # The lists that the summaries of this batch have or had.
    touched: set[str] = field(default_factory=set)

    def put_part(self, part: Part) -> None:
        """Puts a part in as it was sent last."""
        self.parts.setdefault(part.summary, {})[part.number] = part
        self.fresh_parts[part.summary, part.number] = part

    def write(self) -> None:
        """Writes summaries, parts and claims; tells the pools which lists are summarised now."""
        connection = self.transaction.connection
        summary_store.add(connection, [summary for key, summary in self.summaries.items() if key not in self.before])
        changed = [
            summary for key, summary in self.summaries.items() if key in self.before and summary is not self.before[key]
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
    """Takes summaries, whole or in parts: new ones, changes and deletions; returns the verdicts in order."""
    list_store.lock(transaction, {row.merchant_code for _, row in rows})
    arrivals = [summary_rpc.part_of(row, transaction.now_us) for _, row in rows]
    batch = _load(transaction, {part.summary for part in arrivals}, arrivals, {row.merchant_code for _, row in rows})
    told = [_take_one(batch, document_id, part) for (document_id, _), part in zip(rows, arrivals, strict=True)]
    batch.write()
    return told


def renumbered(transaction: Transaction, summary_numbers: Iterable[str], merchant_codes: Iterable[str]) -> None:
    """Follows summaries that customs numbered or gave results: those by time get the lists that it named."""
    list_store.lock(transaction, merchant_codes)
    meant = report_store.summaries_numbered(transaction.connection, summary_numbers)
    batch = _load(transaction, meant, (), ())
    for identifier in sorted(batch.before):
        summary = batch.summaries[identifier]
        parts = summary_model.counting(batch.parts[identifier])
        if summary_rpc.is_by_time(parts):
            _put(batch, _summed(batch, parts, summary.enterprise), parts)
    batch.write()


def _load(
    transaction: Transaction, identifiers: Collection[str], arrivals: Sequence[Part], merchant_codes: Collection[str]
) -> Batch:
    connection = transaction.connection
    summaries, parts = summary_store.load(connection, identifiers), summary_store.parts_of(connection, identifiers)
    numbers = summary_store.numbers_of(connection, identifiers)
    results = result_store.lists_of_summaries(connection, report_store.summary_numbers(connection, identifiers))
    stored = [part for of_summary in parts.values() for part in of_summary.values()]
    named = {*summary_rpc.lists_of([*arrivals, *stored])}.union(*numbers.values(), *results.values())
    lists, claims = summary_store.lists_numbered(connection, named), summary_store.claims(connection, named)
    enterprises = enterprise_of(connection, merchant_codes)
    return Batch(
        transaction=transaction,
        lists=lists,
        claims=claims,
        summaries=dict(summaries),
        before=summaries,
        enterprises=enterprises,
        parts=parts,
        results=results,
        numbers=numbers,
    )


def _take_one(batch: Batch, document_id: str, part: Part) -> declarations_pb2.IntakeVerdict:
    before = summary_model.measure(batch.parts[part.summary], part.number)
    move = step(before.version if before else None, part.version)
    name = f"retailSummaries/{part.summary}"
    if before and move in (Step.KEEP, Step.TOUCH):
        if move == Step.TOUCH:
            _touch(batch, replace(before, send_us=part.send_us, change=part.change, count=part.count))
        return verdicts.duplicate(document_id, name)
    parts = summary_model.counting({**batch.parts[part.summary], part.number: part})
    summary = _summed(batch, parts or [part], batch.enterprises.get(summary_rpc.said(part).merchant_code, ""))
    problems = ([KNOWN_OTHERWISE] if move == Step.REFUSE else []) + _problems(batch, summary, part)
    if problems:
        return verdicts.refused(document_id, problems, batch.transaction.caller.language)
    batch.put_part(part)
    _put(batch, summary, parts)
    return verdicts.accepted(document_id, name)


def _touch(batch: Batch, part: Part) -> None:
    """Notes the same part sent again later: only its time moves, and perhaps the number of parts."""
    batch.put_part(part)
    parts = summary_model.counting(batch.parts[part.summary])
    _put(batch, _summed(batch, parts or [part], batch.summaries[part.summary].enterprise), parts)


def _summed(batch: Batch, parts: Sequence[Part], enterprise: str) -> RetailSummary:
    """Returns the record that these parts make, in the currency of the first of its lists that is stored."""
    numbers = [*summary_rpc.lists_of(parts), *sorted(batch.results.get(parts[0].summary, ()))]
    currency = next((batch.lists[number].value.currency for number in numbers if number in batch.lists), "")
    return summary_rpc.from_part(summary_model.newest(parts), enterprise, currency, batch.transaction.now_us)


def _problems(batch: Batch, summary: RetailSummary, part: Part) -> list[Problem]:
    """Lists every list that refuses the part whole, with each reason."""
    problems = []
    for index, number in enumerate(summary_rpc.said(part).list_numbers):
        path = f"list_numbers[{index}]"
        if batch.claims.get(number, (summary.id, False))[0] != summary.id:
            problems.append(summary_model.taken(path, number))
        problems += summary_model.misfits(path, summary, batch.lists.get(number))
    return problems


def _wanted(batch: Batch, identifier: str, parts: Sequence[Part]) -> set[str]:
    """Returns the lists of a summary: those that its parts name, or those that customs names and no other has."""
    if not summary_rpc.is_by_time(parts):
        return set(summary_rpc.lists_of(parts))
    named = batch.results.get(identifier, set())
    return {number for number in named if batch.claims.get(number, (identifier, False))[0] == identifier}


def _put(batch: Batch, summed: RetailSummary, parts: Sequence[Part]) -> None:
    """Puts a summary in as its parts make it, with the lists that it claims and drops."""
    wanted, had = _wanted(batch, summed.id, parts), batch.numbers.get(summed.id, set())
    for number in sorted(wanted - had):
        if number not in batch.claims:
            batch.claimed[number] = summed.id
        else:
            batch.dropped[number] = False
        batch.claims[number] = (summed.id, False)
    for number in sorted(had - wanted):
        batch.dropped[number] = True
        batch.claims[number] = (summed.id, True)
    batch.numbers[summed.id] = wanted
    batch.touched |= wanted | had
    value = sum(summary_model.counted(summed, batch.lists.get(number)) for number in wanted)
    summary = replace(summed, value=Money(summed.value.currency, value))
    before = batch.summaries.get(summed.id)
    batch.summaries[summed.id] = (
        replace(summary, create_us=before.create_us, revision=before.revision) if before else summary
    )


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
