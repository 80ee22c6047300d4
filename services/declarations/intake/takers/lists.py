"""Takes lists and notices of them in, a batch at a time, in any order and however often.

Every take does the same: it finds the lists that are meant, puts new versions in, binds the notices, computes each list
after all notices, writes, and tells the pools.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aval.declarations.v1 import declarations_pb2, personal_pb2, retail_pb2

from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.assets.pool import commands as pool_commands
from services.declarations.customs import modes
from services.declarations.customs.receipt_machine import notice_date
from services.declarations.intake.takers import summaries as takers_summaries
from services.declarations.intake.takers.list_batch import NUMBERS, Register, numbers_of
from services.declarations.intake.takers.summaries import ListChange
from services.declarations.privacy.personal import store as personal_store
from services.declarations.window import verdicts
from services.declarations.window.retail import identity
from services.declarations.window.retail.enterprise import enterprise_of
from services.declarations.window.retail.flows.matching import store as matching_store
from services.declarations.window.retail.list import model as list_model
from services.declarations.window.retail.list import rpc as list_rpc
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.model import Fact, Notice, RetailList
from services.declarations.window.retail.versions import Change, Step

Verdicts = list[declarations_pb2.IntakeVerdict]
KNOWN_OTHERWISE = Problem(
    "envelope.send_time",
    "LIST_KNOWN_WITH_OTHER_CONTENT",
    "A list of this number was sent already with other content; send a change of it (appType 2) with a later time.",
    "该编号的清单已以不同内容申报；修改须以变更方式（报送类型 2）并以更晚的发送时间提交。",
)
NUMBER_TAKEN = Problem(
    "list_number",
    "LIST_NUMBER_TAKEN",
    "Another list has this list number or pre-entry number; check both with the window.",
    "该清单编号或预录入编号已属于另一清单；请向单一窗口核对。",
)
UNKNOWN_CODE = Problem(
    "status_code",
    "STATUS_CODE_UNKNOWN",
    "No such status code is known at the notice time; check the code with the window.",
    "通知时间内无此回执状态代码；请向单一窗口核对代码。",
)
NUMBER_MISSING = Problem(
    "list_number",
    "LIST_NOT_NAMED",
    "This names no list; give its list number, pre-entry number or enterprise number.",
    "未指明清单；请填写清单编号、预录入编号或企业内部编号。",
)


@dataclass(slots=True)
class Batch:
    """A batch's outcome: the lists as they become, new facts, and notices that wait."""

    transaction: Transaction
    register: Register = field(default_factory=Register)
    facts: dict[str, set[Fact]] = field(default_factory=dict)
    fresh_facts: dict[tuple[str, Fact], str] = field(default_factory=dict)
    waiting: dict[str, Notice] = field(default_factory=dict)
    waited: set[str] = field(default_factory=set)
    came: list[Notice] = field(default_factory=list)
    persons: dict[str, personal_pb2.PersonalData] = field(default_factory=dict)
    # Orders and waybills that the lists tie together, by id.
    links: set[tuple[str, str]] = field(default_factory=set)

    def say(self, identifier: str, notice: Notice) -> bool:
        """Notes a notice of a list. Returns whether it tells anything new."""
        facts = self.facts.setdefault(identifier, set())
        if notice.fact in facts:
            return False
        facts.add(notice.fact)
        self.fresh_facts[identifier, notice.fact] = notice.note
        return True

    def load_facts(self, identifiers: Iterable[str]) -> None:
        """Loads the earlier facts of stored lists."""
        wanted = [
            identifier
            for identifier in identifiers
            if identifier not in self.facts and identifier in self.register.before
        ]
        self.facts |= list_store.facts_of(self.transaction.connection, wanted)

    def settle(self) -> None:
        """Binds notices that waited for these lists, computes the lists, writes, and tells the pools."""
        list_store.keep_waiting(self.transaction.connection, self.waiting.values())
        self._bind_waiting()
        for identifier in {identifier for identifier, _ in self.fresh_facts}:
            self.register.put(list_model.with_facts(self.register.lists[identifier], self.facts[identifier]))
        connection = self.transaction.connection
        added, changed = self.register.added(), self.register.changed()
        list_store.add(connection, added)
        list_store.save(connection, changed)
        list_store.add_notices(connection, self.fresh_facts)
        list_store.end_waiting(connection, self.came)
        personal_store.put(self.transaction, self.persons)
        matching_store.link(self.transaction, self.links)
        arrived: list[ListChange] = [(None, retail_list) for retail_list in added]
        takers_summaries.follow(self.transaction, [*arrived, *changed])
        pool_commands.follow(self.transaction, [*added, *(after for _, after in changed)])
        otherwise = (after for before, after in changed if list_model.counts_otherwise(before, after))
        list_store.tell(self.transaction, [*added, *otherwise])

    def _bind_waiting(self) -> None:
        """Binds waiting notices of lists that learned a number; these may give a list another number, and so on."""
        connection = self.transaction.connection
        touched = {
            *(retail_list.id for retail_list in self.register.added()),
            *(after.id for _, after in self.register.changed()),
        }
        while touched and list_store.is_waited(connection):
            meant = [self.register.lists[identifier] for identifier in touched]
            seen = {notice.key for notice in self.came}
            numbers = {column: {getattr(retail_list, column) or "" for retail_list in meant} for column in NUMBERS}
            notices = [notice for notice in list_store.waiting(connection, numbers) if notice.key not in seen]
            self.register.load_numbers(connection, numbers_of(notices))
            touched = self._bind(notices)

    def _bind(self, notices: Sequence[Notice]) -> set[str]:
        """Binds notices that waited; returns the lists that learned a number from them."""
        owners = [(notice, self.register.owner(notice)) for notice in notices]
        self.load_facts({owner for _, owner in owners if owner})
        learned = set()
        for notice, owner in owners:
            if owner:
                self.came.append(notice)
                self.say(owner, notice)
                if self.register.learn(owner, notice):
                    learned.add(owner)
        return learned


def take(transaction: Transaction, rows: Sequence[tuple[str, retail_pb2.RetailList]]) -> Verdicts:
    """Takes checked lists: new ones, changes and deletions; returns the verdicts in order."""
    list_store.lock(transaction, {row.merchant_code for _, row in rows})
    batch = Batch(transaction)
    enterprises = enterprise_of(transaction.connection, {row.merchant_code for _, row in rows})
    arrivals = [
        list_rpc.from_row(row, enterprises.get(row.merchant_code, ""), transaction.keys, transaction.now_us)
        for _, row in rows
    ]
    batch.register.load(list_store.load(transaction.connection, (retail_list.id for retail_list in arrivals)))
    for column in ("list_number", "pre_number"):
        batch.register.load_numbers(
            transaction.connection, {column: {getattr(retail_list, column) or "" for retail_list in arrivals}}
        )
    batch.load_facts(retail_list.id for retail_list in arrivals if retail_list.change == Change.DELETE)
    told = [
        _take_one(batch, document_id, row, arrival) for (document_id, row), arrival in zip(rows, arrivals, strict=True)
    ]
    batch.settle()
    return told


def _take_one(
    batch: Batch, document_id: str, row: retail_pb2.RetailList, version: RetailList
) -> declarations_pb2.IntakeVerdict:
    problems = [*_mode_problems(row, version), *_number_problems(batch.register, version)]
    move, after = list_model.arriving(batch.register.lists.get(version.id), version)
    if move == Step.REFUSE and not problems:
        problems = [KNOWN_OTHERWISE]
    if problems:
        return verdicts.refused(document_id, problems, batch.transaction.caller.language)
    if version.change == Change.DELETE:
        is_new = _delete(batch, row, version)
    else:
        is_new = move in (Step.ADD, Step.REPLACE)
        batch.register.put(after)
        if is_new:
            _keep_beside(batch, row, version)
    return (verdicts.accepted if is_new else verdicts.duplicate)(document_id, version.name)


def _keep_beside(batch: Batch, row: retail_pb2.RetailList, version: RetailList) -> None:
    """Keeps the parts of a version that belong to other rooms: its persons, and the tie of waybill and order."""
    if row.persons:
        batch.persons[version.name] = personal_pb2.PersonalData(persons=row.persons)
    if row.waybill_number:
        order = identity.order_id(row.direction, row.platform_code, row.order_number)
        batch.links.add((order, identity.waybill_id(row.carrier_code, row.waybill_number)))


def _delete(batch: Batch, row: retail_pb2.RetailList, version: RetailList) -> bool:
    """Notes a deletion, perhaps of a list that is still to come. Returns whether it is new."""
    if version.id not in batch.register.lists:
        batch.register.put(list_model.awaiting(version))
    return batch.say(version.id, list_rpc.notice_of_deletion(row))


def _mode_problems(row: retail_pb2.RetailList, version: RetailList) -> list[Problem]:
    if modes.mode(row.trade_mode, version.direction, notice_date(version.send_us)) is not None:
        return []
    expected = modes.trade_modes(version.direction, notice_date(version.send_us))
    return [
        Problem(
            "trade_mode",
            "TRADE_MODE_NOT_RETAIL",
            f"Such lists have one of the trade modes {', '.join(expected)}, not {row.trade_mode}; correct it.",
            f"此类清单的监管方式应为 {'、'.join(expected)} 之一，而非 {row.trade_mode}；请更正。",
        )
    ]


def _number_problems(register: Register, version: RetailList) -> list[Problem]:
    owners = (
        register.by_list_number.get(version.list_number or ""),
        register.by_pre_number.get(version.pre_number or ""),
    )
    return [NUMBER_TAKEN] if any(owner not in (None, version.id) for owner in owners) else []


def take_receipts(transaction: Transaction, rows: Sequence[tuple[str, retail_pb2.RetailReceipt]]) -> Verdicts:
    """Takes receipts of customs (604, 622)."""
    notices = [(document_id, [list_rpc.notice_of_receipt(row)]) for document_id, row in rows]
    return _take_notices(transaction, notices)


def take_cancellations(transaction: Transaction, rows: Sequence[tuple[str, retail_pb2.RetailCancellation]]) -> Verdicts:
    """Takes applications to cancel or return a list (605, 623, 213, 625)."""
    notices = [(document_id, [list_rpc.notice_of_cancellation(row)]) for document_id, row in rows]
    return _take_notices(transaction, notices)


def take_departures(transaction: Transaction, rows: Sequence[tuple[str, retail_pb2.RetailDeparture]]) -> Verdicts:
    """Takes lists that left with one means of transport (607)."""
    return _take_notices(transaction, [(document_id, list_rpc.notices_of_departure(row)) for document_id, row in rows])


def _take_notices(transaction: Transaction, rows: Sequence[tuple[str, Sequence[Notice]]]) -> Verdicts:
    list_store.lock(transaction, {notice.merchant_code for _, notices in rows for notice in notices})
    batch = Batch(transaction)
    sound = [(document_id, notices, _notice_problems(notices)) for document_id, notices in rows]
    meant = [notice for _, notices, problems in sound if not problems for notice in notices]
    batch.register.load_numbers(transaction.connection, numbers_of(meant))
    batch.load_facts(batch.register.lists)
    if list_store.is_waited(transaction.connection):
        batch.waited = list_store.waiting_keys(transaction.connection, (notice.key for notice in meant))
    told = []
    for document_id, notices, problems in sound:
        if problems:
            told.append(verdicts.refused(document_id, problems, transaction.caller.language))
            continue
        outcomes = [_note(batch, notice) for notice in notices]
        is_new, names = any(new for new, _ in outcomes), {name for _, name in outcomes}
        told.append((verdicts.accepted if is_new else verdicts.duplicate)(document_id, _only(names)))
    batch.settle()
    return told


def note_all(transaction: Transaction, notices: Sequence[Notice]) -> None:
    """Notes other statements on lists, each by its list's number: answers to applications (606, 624, 214, 626)."""
    _take_notices(transaction, [(str(index), [notice]) for index, notice in enumerate(notices)])


def _only(names: set[str]) -> str:
    """Returns the list that a document was about; empty if there were several, or none is stored."""
    return next(iter(names)) if len(names) == 1 else ""


def _notice_problems(notices: Sequence[Notice]) -> list[Problem]:
    for notice in notices:
        if not any(getattr(notice, column) for column in NUMBERS):
            return [NUMBER_MISSING]
        if not list_model.is_known_code(notice.code, notice.notice_us):
            return [UNKNOWN_CODE]
    return []


def _note(batch: Batch, notice: Notice) -> tuple[bool, str]:
    """Binds a notice or lets it wait; returns whether it was new, and the list's name if that is stored."""
    owner = batch.register.owner(notice)
    if owner is None:
        is_new = notice.key not in batch.waited and notice.key not in batch.waiting
        if is_new:
            batch.waiting[notice.key] = notice
        return is_new, ""
    batch.register.learn(owner, notice)
    return batch.say(owner, notice), f"retailLists/{owner}"
