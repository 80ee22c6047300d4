"""Takes drafts and their numbers in, and settles each draft's state by them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, personal_pb2

from chassis import ids
from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.intake.takers import declarations as takers_declarations
from services.declarations.intake.takers.declarations import Candidate, Candidates
from services.declarations.privacy.personal import store as personal_store
from services.declarations.window import verdicts
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Content
from services.declarations.window.draft import model as draft_model
from services.declarations.window.draft import rpc as draft_rpc
from services.declarations.window.draft import store as draft_store
from services.declarations.window.draft.model import Draft, Message, Numbered, State, Wait

Verdict = declarations_pb2.IntakeVerdict
Rows = Sequence[tuple[str, declarations_pb2.ImportResponse]]
AT_ONCE = 500
TIED_OTHERWISE = Problem(
    "unified_number",
    "CLIENT_NUMBER_TIED_OTHERWISE",
    "The window gave this client number another unified number before; send the declaration with the right SeqNo.",
    "单一窗口此前已为该客户端编号给出其他统一编号；请在报关单中填写正确的 SeqNo 后重新发送。",
)


def create_batch(
    work: Sequence[tuple[Transaction, Candidates]],
) -> list[declarations_pb2.BatchCreateDeclarationsResponse]:
    """Takes declarations as rows, with a customs number or without."""
    return [declarations_pb2.BatchCreateDeclarationsResponse(verdicts=verdicts) for verdicts in take(work)]


def take(work: Sequence[tuple[Transaction, Candidates]]) -> list[list[declarations_pb2.IntakeVerdict]]:
    """Declares rows with a customs number, keeps others as drafts; returns the verdicts of each request, in order."""
    connection = work[0][0].connection
    numbers = set().union(*(candidates.numbers for _, candidates in work))
    supplying = {draft.declaration: draft for draft in draft_store.supplying(connection, numbers)}
    numbered = [
        (transaction, Candidates([row for row in candidates.rows if not _is_draft(row)]))
        for transaction, candidates in work
    ]
    taken = takers_declarations.take(numbered, {number: draft.declared_digest for number, draft in supplying.items()})
    parts = zip(work, taken, strict=True)
    return [
        _with_drafts(transaction, candidates.rows, verdicts_of_numbered, supplying)
        for (transaction, candidates), verdicts_of_numbered in parts
    ]


def _is_draft(row: Candidate) -> bool:
    return row.content is not None and not row.content.id


def _with_drafts(
    transaction: Transaction,
    rows: Sequence[Candidate],
    taken: Sequence[declarations_pb2.IntakeVerdict],
    supplying: dict[str, Draft],
) -> list[declarations_pb2.IntakeVerdict]:
    """Returns the verdicts of all rows in order; `taken` has those of rows that aren't drafts."""
    others = iter(taken)
    given = [None if _is_draft(row) else next(others) for row in rows]
    outcomes = [
        (row.content, verdict.outcome) for row, verdict in zip(rows, given, strict=True) if row.content and verdict
    ]
    changed, same = (
        {content.id: content for content, own in outcomes if own == outcome}
        for outcome in (Verdict.ACCEPTED, Verdict.DUPLICATE)
    )
    _replaced(transaction, changed, same, supplying)
    touched = _numbered_by_clients(transaction, [*changed.values(), *same.values()])
    drafts = iter(_keep(transaction, [row for row in rows if _is_draft(row)], touched))
    return [verdict or next(drafts) for verdict in given]


def _replaced(
    transaction: Transaction,
    changed: Mapping[str, Content],
    same: Mapping[str, Content],
    supplying: dict[str, Draft],
) -> None:
    """Ends the drafts' hold on customs numbers that a declaration came under; `same`: it says the same as the draft.

    A changed content has stored its persons; those of a declaration that says the same count in place of the draft's.
    """
    for number in supplying.keys() & {*changed, *same}:
        draft = supplying.pop(number)
        draft_store.save(transaction, draft, replace(draft, declared_digest=b""))
        if number not in changed:
            persons = same[number].persons or personal_pb2.PersonalData()
            personal_store.put(transaction, {f"declarations/{number}": persons})


def _numbered_by_clients(transaction: Transaction, declared: Collection[Content]) -> Collection[str]:
    """Notes the customs numbers of declarations that clients numbered; returns the ids of their drafts."""
    keys = {
        (draft_store.of_client(content.enterprise, content.client_number), content.id): 0
        for content in declared
        if content.client_number
    }
    draft_store.add_numbers(transaction.connection, keys)
    client, unified = ({getattr(content, name) for content in declared} for name in ("client_number", "unified_number"))
    return {draft.id for draft in draft_store.of_numbers(transaction.connection, client, unified)}


def _keep(
    transaction: Transaction, rows: Sequence[Candidate], touched: Collection[str]
) -> list[declarations_pb2.IntakeVerdict]:
    """Keeps messages of drafts and settles these drafts and other touched ones; returns the messages' verdicts."""
    if not rows and not touched:
        return []
    drafts, messages = _messages(transaction, rows)
    stored = draft_store.known_messages(transaction.connection, {message.id for message in messages})
    added = {message.id: message for message in messages if message.id not in stored}
    draft_store.add_messages(transaction.connection, list(added.values()))
    contents = {message.sealed: row.content for message, row in zip(messages, rows, strict=True) if row.content}
    personal_store.put(transaction, {name: content.persons for name, content in contents.items() if content.persons})
    settled = _settle(transaction, drafts, {*touched, *(message.draft for message in messages)})
    told = []
    for row, message in zip(rows, messages, strict=True):
        draft = settled[message.draft]
        counts = added.pop(message.id, None) is not None and draft.message == message.id
        told.append((verdicts.accepted if counts else verdicts.duplicate)(row.document_id, draft.name))
    return told


def _messages(transaction: Transaction, rows: Sequence[Candidate]) -> tuple[Mapping[str, Draft], Sequence[Message]]:
    """Returns the messages of rows, and by id a draft for each that isn't stored."""
    contents = [row.content for row in rows if row.content]
    unified = {content.unified_number for content in contents if not content.client_number}
    by_unified: dict[tuple[str, str], set[str]] = {}
    for draft in draft_store.of_numbers(transaction.connection, (), unified):
        by_unified.setdefault((draft.enterprise, draft.unified_number), set()).add(draft.id)
    messages = [_message(transaction, content, by_unified) for content in contents]
    stored = draft_store.load(transaction.connection, {message.draft for message in messages})
    drafts = {
        message.draft: _draft(transaction, message, content)
        for message, content in zip(messages, contents, strict=True)
        if message.draft not in stored
    }
    return drafts, messages


def _message(
    transaction: Transaction, content: Content, by_unified: Mapping[tuple[str, str], Collection[str]]
) -> Message:
    """Returns the message of a row: of the draft with its client's number, else of the one with its unified number."""
    unified = content.unified_number
    own = _identity(content)
    there = by_unified.get((content.enterprise, unified), ()) if unified and not content.client_number else ()
    draft = next(iter(there)) if len(there) == 1 else own
    identifier = ids.derived(
        "draft message", content.enterprise, content.client_number, unified, content.sign_us, content.digest.hex()
    )
    return Message(
        id=identifier,
        draft=draft,
        unified_number=unified,
        sign_us=content.sign_us,
        minor_units=content.value_minor_units,
        direction=content.direction,
        body=content.body,
        arrive_us=transaction.now_us,
    )


def _identity(content: Content) -> str:
    """Returns the id of a draft by its client's number, else by the window's, else by its content."""
    numbers = (("client", content.client_number), ("unified", content.unified_number), ("", content.digest.hex()))
    kind, number = next(candidate for candidate in numbers if candidate[1])
    return ids.derived("draft", content.enterprise, kind, number)


def _draft(transaction: Transaction, message: Message, content: Content) -> Draft:
    """Returns a draft before it is settled."""
    draft = Draft(
        id=message.draft,
        enterprise=content.enterprise,
        client_number=content.client_number,
        unified_number=content.unified_number,
        direction="",
        state=State.WAITING,
        wait=Wait.NUMBERS,
        declaration="",
        declared_digest=b"",
        message="",
        sign_us=0,
        body=b"",
        create_date=transaction.business_date,
        create_us=transaction.now_us,
        revision=0,
    )
    return draft_model.with_message(draft, message)


def respond(transaction: Transaction, rows: Rows) -> list[declarations_pb2.IntakeVerdict]:
    """Takes the window's answers to clients, which give their own numbers a unified number; returns the verdicts."""
    connection = transaction.connection
    given = draft_store.unified_numbers(connection, {row.client_number for _, row in rows})
    drafts = draft_store.of_numbers(connection, {row.client_number for _, row in rows}, ())
    told = []
    for document_id, row in rows:
        before = given.setdefault(row.client_number, "")
        if before not in ("", row.unified_number):
            told.append(verdicts.refused(document_id, [TIED_OTHERWISE], transaction.caller.language))
            continue
        if not before:
            given[row.client_number] = row.unified_number
            draft_store.add_unified_number(connection, row.client_number, row.unified_number)
        names = [draft.name for draft in drafts if draft.client_number == row.client_number]
        verdict = verdicts.duplicate if before else verdicts.accepted
        told.append(verdict(document_id, names[0] if len(names) == 1 else ""))
    _settle(transaction, {}, {draft.id for draft in drafts})
    return told


def note_numbers(transaction: Transaction, receipts: Sequence[declarations_pb2.Receipt]) -> None:
    """Notes the pairs of numbers that receipts tell, for drafts that are here and those that come later."""
    both = [receipt for receipt in receipts if receipt.declaration_number and receipt.unified_number]
    if not both:
        return
    connection, unified = transaction.connection, {receipt.unified_number for receipt in both}
    drafts = draft_store.of_numbers(connection, (), unified)
    awaited = {draft.unified_number for draft in drafts}
    declared = draft_store.declared(connection, unified)
    notices: dict[tuple[str, str], int] = {}
    for receipt in both:
        number, notice_us = receipt.declaration_number, receipt.notice_time.ToMicroseconds()
        if receipt.unified_number in awaited or number not in declared.get(receipt.unified_number, ()):
            key = (draft_store.of_unified(receipt.unified_number), number)
            notices[key] = min(notices.get(key, notice_us), notice_us)
    draft_store.add_numbers(connection, notices)
    _settle(transaction, {}, {draft.id for draft in drafts})


def join(transaction: Transaction) -> bool:
    """Settles drafts whose numbers came while others took them in, some at a time. Returns whether more may wait."""
    waiting = draft_store.joinable(transaction.connection, AT_ONCE)
    _settle(transaction, {}, waiting)
    return len(waiting) == AT_ONCE


def _settle(transaction: Transaction, created: Mapping[str, Draft], touched: Iterable[str]) -> dict[str, Draft]:
    """Settles drafts by all that is known of them; returns by id the draft that each is part of."""
    connection = transaction.connection
    stored = draft_store.load(connection, set(touched) - created.keys())
    sharing = _sharing(connection, [*stored.values(), *created.values()])
    drafts = _with_unified_numbers(connection, {**stored, **created}, sharing)
    joined = _joined(transaction, drafts)
    messages = draft_store.messages(connection, drafts)
    numbers = _numbers(connection, list(drafts.values()))
    settled = {}
    for draft in drafts.values():
        after = _settled(draft, messages[draft.id], numbers[draft.id], len(sharing[draft.client_number]))
        settled[draft.id] = _saved(transaction, stored.get(draft.id), after)
    return settled | {name: settled[into] for name, into in joined.items()}


def _sharing(connection: sa.Connection, drafts: Iterable[Draft]) -> Mapping[str, Collection[str]]:
    """Returns by client number the drafts that have it, of however many enterprises."""
    stored = draft_store.of_numbers(connection, {draft.client_number for draft in drafts}, ())
    by_client: dict[str, set[str]] = {}
    for draft in (*drafts, *stored):
        by_client.setdefault(draft.client_number, set()).add(draft.id)
    return by_client


def _with_unified_numbers(
    connection: sa.Connection, drafts: Mapping[str, Draft], sharing: Mapping[str, Collection[str]]
) -> dict[str, Draft]:
    """Returns drafts with the unified numbers of their messages, else those that the window gave their clients."""
    messages = draft_store.messages(connection, drafts)
    alone = {number for number, ids_ in sharing.items() if number and len(ids_) == 1}
    given = draft_store.unified_numbers(connection, alone)
    return {
        draft.id: replace(
            draft,
            unified_number=draft_model.unified_number(
                messages[draft.id], draft.unified_number or given.get(draft.client_number, "")
            ),
        )
        for draft in drafts.values()
    }


def _joined(transaction: Transaction, drafts: dict[str, Draft]) -> Mapping[str, str]:
    """Joins drafts by unified number alone to those with a client's number too; returns by id into which each went."""
    clients: dict[tuple[str, str], set[str]] = {}
    unified = {draft.unified_number for draft in drafts.values()}
    for draft in (*drafts.values(), *draft_store.of_numbers(transaction.connection, (), unified)):
        if draft.client_number and draft.unified_number:
            clients.setdefault((draft.enterprise, draft.unified_number), set()).add(draft.id)
    wanted = {
        ids.derived("draft", enterprise, "unified", number): next(iter(drafts_of_number))
        for (enterprise, number), drafts_of_number in clients.items()
        if len(drafts_of_number) == 1 and drafts_of_number <= drafts.keys()
    }
    there = draft_store.load(transaction.connection, wanted)
    joined = {name: into for name, into in wanted.items() if name in there or name in drafts}
    for identifier, into in joined.items():
        former = there.get(identifier) or drafts[identifier]
        drafts[into] = replace(drafts[into], declared_digest=drafts[into].declared_digest or former.declared_digest)
        drafts.pop(identifier, None)
        draft_store.absorb(transaction, drafts[into], former)
    return joined


def _numbers(connection: sa.Connection, drafts: Collection[Draft]) -> Mapping[str, Sequence[Numbered]]:
    """Returns by draft the customs numbers that are told of it."""
    unified = {draft.id: draft_store.of_unified(draft.unified_number) for draft in drafts if draft.unified_number}
    client = {draft.id: draft_store.of_client(draft.enterprise, draft.client_number) for draft in drafts}
    told = draft_store.numbers(connection, {*unified.values(), *client.values()})
    declared = draft_store.declared(connection, {draft.unified_number for draft in drafts} - {""})
    return {
        draft.id: draft_model.told(
            [
                *told.get(client[draft.id], ()),
                *(Numbered(number, 0) for number in declared.get(draft.unified_number, ())),
            ],
            told.get(unified.get(draft.id, ""), ()),
        )
        for draft in drafts
    }


def _settled(draft: Draft, messages: Sequence[Message], numbers: Sequence[Numbered], sharing: int) -> Draft:
    """Returns the draft by its messages and numbers; a declared one stays under its number."""
    declarations = {numbered.declaration for numbered in numbers}
    wait = Wait.NOTHING if draft.declaration else draft_model.waiting_for(draft, declarations, sharing)
    number = draft.declaration or ("".join(declarations) if wait is Wait.NOTHING else "")
    counting = draft_model.counting(messages, draft_model.first_notice(numbers, number))
    after = replace(draft_model.with_message(draft, counting), wait=wait)
    return after if draft.declaration or not number else draft_model.numbered(after, number)


def _saved(transaction: Transaction, before: Draft | None, after: Draft) -> Draft:
    """Saves the draft with the persons of the message that counts, and declares one that has a number."""
    if before == after:
        return after
    persons = personal_store.of(transaction, [after.sealed]).get(after.sealed, personal_pb2.PersonalData())
    if before is None or before.message != after.message:
        personal_store.put(transaction, {after.name: persons})
    declared = _declared(transaction, after, persons) if after.declaration else after
    return declared if declared == before else draft_store.save(transaction, before, declared)


def _declared(transaction: Transaction, draft: Draft, persons: personal_pb2.PersonalData) -> Draft:
    """Declares the draft's content under its number, where no other stands; returns the draft afterwards."""
    number = draft.declaration
    before = declaration_store.load(transaction.connection, [number]).get(number)
    if before is not None and before.enterprise != draft.enterprise:
        waiting = replace(draft, state=State.WAITING, wait=Wait.FITTING_NUMBER, declaration="")
        return replace(waiting, declared_digest=b"")
    if before is not None and before.digest != draft.declared_digest:
        return replace(draft, declared_digest=b"")
    content = draft_rpc.content_of(draft, persons)
    rows = Candidates([Candidate(draft.name, content, ())])
    ((verdict,),) = takers_declarations.take([(transaction, rows)], {number: draft.declared_digest})
    return draft if verdict.outcome == Verdict.REFUSED else replace(draft, declared_digest=content.digest)
