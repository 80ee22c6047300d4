"""Keeping what was refused, of documents and rows alike: once for each content, as one step for a whole request."""

from collections.abc import Collection, Mapping, Sequence

from chassis.command import Transaction
from services.declarations.intake.refused import model, rpc, store
from services.declarations.intake.refused.model import Outcome, RefusedDocument, State
from services.declarations.intake.refused.terms import refused_kept_most

Documents = dict[bytes, RefusedDocument]


def keep(transaction: Transaction, outcomes: Sequence[Outcome], accepted: Collection[str] = ()) -> Mapping[bytes, str]:
    """Remembers what was refused, and what is accepted that was refused before; the names of those kept, by digest.

    `accepted` are the subjects of accepted rows: they mend what was refused of the same subjects.
    """
    before = store.by_digest(
        transaction.connection, transaction.caller.tenant, [each_outcome.digest for each_outcome in outcomes]
    )
    present: Documents = before | _mended(transaction, accepted)
    last: dict[bytes, Outcome] = {}
    for outcome in outcomes:
        after = _after(transaction, present.get(outcome.digest), outcome)
        if after is not None:
            present[outcome.digest], last[outcome.digest] = after, outcome
    changed = {digest: document for digest, document in present.items() if document is not before.get(digest)}
    changed = _within_limit(transaction, changed)
    kept = {document.name: last[digest] for digest, document in changed.items() if digest in last}
    save(transaction, list(changed.values()), kept)
    return {each_outcome.digest: name for name, each_outcome in kept.items()}


def _mended(transaction: Transaction, accepted: Collection[str]) -> Documents:
    if not accepted:
        return {}
    waiting = store.waiting_of_subjects(transaction.connection, transaction.caller.tenant, accepted)
    return {document.digest: model.mended(document) for document in waiting}


def _after(transaction: Transaction, before: RefusedDocument | None, outcome: Outcome) -> RefusedDocument | None:
    """The refused document as this attempt leaves it; None where there is none or nothing changes."""
    if outcome.attempt.problems:
        return model.refused_again(before or _unseen(transaction, outcome), outcome.attempt)
    return model.mended(before) if before and before.state == State.REFUSED else None


def _unseen(transaction: Transaction, outcome: Outcome) -> RefusedDocument:
    """Before its first attempt."""
    identifier, sender = transaction.ids.resource("refused"), transaction.caller.tenant
    return RefusedDocument(
        id=identifier,
        sender=sender,
        digest=outcome.digest,
        subject=outcome.subject,
        format="",
        state=State.REFUSED,
        attempts=0,
        first_us=transaction.now_us,
        last_us=0,
        revision=0,
    )


def _within_limit(transaction: Transaction, changed: Documents) -> Documents:
    """Without what is new beyond what a sender may have waiting."""
    fresh = [digest for digest, document in changed.items() if _is_new(document)]
    if not fresh:
        return changed
    most = refused_kept_most(transaction.business_date)
    room = most - store.count_waiting(transaction.connection, transaction.caller.tenant, most)
    beyond = frozenset(fresh[max(room, 0) :])
    return {digest: document for digest, document in changed.items() if digest not in beyond}


def save(transaction: Transaction, changed: Sequence[RefusedDocument], outcomes: Mapping[str, Outcome]) -> None:
    """Rows, and by their names what became of them last; what isn't REFUSED any more loses its content."""
    store.add(transaction, [document for document in changed if _is_new(document)])
    store.save(transaction, [document for document in changed if not _is_new(document)])
    waiting = {document.name: document.id for document in changed if document.state == State.REFUSED}
    told = {name: outcome for name, outcome in outcomes.items() if name in waiting}
    store.keep_reasons(transaction, {waiting[name]: outcome.attempt.problems for name, outcome in told.items()})
    store.keep(
        transaction,
        {name: rpc.to_seal(outcome.attempt) for name, outcome in told.items()},
        {name: outcome.content for name, outcome in told.items()},
    )
    store.forget_contents(transaction, {document.name for document in changed} - waiting.keys())


def _is_new(document: RefusedDocument) -> bool:
    return document.revision == 0
