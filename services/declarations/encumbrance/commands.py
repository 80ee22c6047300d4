"""Reserve, confirm, release, expire, and applying what the buyer paid: the register's protocol."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf.message import Message

from chassis import money
from chassis.clock import MICROSECONDS, business_date
from chassis.command import Transaction
from chassis.errors import DomainError, InvalidFields, NotFound, Problem
from chassis.money import Money
from chassis.rpc import problem
from chassis.states import check_etag, moved
from ledger import store as ledger
from ledger.model import Transfer
from services.declarations import errors, terms
from services.declarations.consent import access
from services.declarations.consent.access import Seen
from services.declarations.consent.model import Consent, Purpose
from services.declarations.declaration import model as declaration_model
from services.declarations.declaration import rpc as declaration_rpc
from services.declarations.declaration import store as declaration_store
from services.declarations.declaration.model import Declaration
from services.declarations.encumbrance import model, rpc, store
from services.declarations.encumbrance.model import TRANSITIONS, AssetClass, Encumbrance, State, Verb

EXPIRE_AT_ONCE = 200
# What the enterprise must have consented to.
PURPOSES = {AssetClass.RECEIVABLE: Purpose.FINANCING, AssetClass.INSURANCE: Purpose.INSURANCE}
Work = tuple[Transaction, declarations_pb2.ReserveEncumbranceRequest]


@dataclass(slots=True)
class Register:
    """What a batch of reservations is judged on, kept up as they are decided."""

    declarations: Mapping[str, Declaration]
    encumbrances: dict[str, Encumbrance]
    standing: dict[str, list[Encumbrance]]
    sitting: ledger.Sitting
    # Each newly granted one, with the number of its first hold within the sitting.
    granted: list[tuple[Transaction, Encumbrance, int]] = field(default_factory=list)
    consents: dict[tuple[str, Purpose], dict[str, Consent]] = field(default_factory=dict)
    disclosed: list[tuple[Transaction, Seen]] = field(default_factory=list)

    def consents_of(self, transaction: Transaction, purpose: Purpose) -> dict[str, Consent]:
        """The consents to the caller for the purpose, by enterprise; looked up once a batch."""
        key = transaction.caller.tenant, purpose
        if key not in self.consents:
            enterprises = {one.enterprise for one in self.declarations.values()}
            self.consents[key] = access.granted(transaction, enterprises, purpose)
        return self.consents[key]

    def grant(self, transaction: Transaction, encumbrance: Encumbrance) -> None:
        """One more stands; its holds were the last that were attempted."""
        first_hold = self.sitting.attempted - len(encumbrance.items)
        self.granted.append((transaction, encumbrance, first_hold))
        self.encumbrances[encumbrance.id] = encumbrance
        for item in encumbrance.items:
            self.standing.setdefault(item.declaration, []).append(encumbrance)

    def store(self) -> dict[str, Encumbrance]:
        """Writes the holds and what was granted, fenced by the ledger's positions; by id."""
        verdicts = self.sitting.write()
        stored = {}
        for transaction, encumbrance, first_hold in self.granted:
            fenced = dataclasses.replace(encumbrance, fencing_number=verdicts[first_hold].position)
            stored[fenced.id] = fenced
            store.add(transaction, fenced, "encumbrance.reserved")
        access.note([(transaction, [seen]) for transaction, seen in self.disclosed])
        return stored


def reserve_batch(work: Sequence[Work]) -> Sequence[Message | DomainError]:
    """Reservations in arrival order as one set-based step; each is judged on those before it."""
    asked = [_asked(transaction, request) for transaction, request in work]
    register = _load(work[0][0], asked)
    outcomes = [
        _decide(transaction, register, encumbrance) for (transaction, _), encumbrance in zip(work, asked, strict=True)
    ]
    stored = register.store()
    return [
        outcome if isinstance(outcome, DomainError) else rpc.to_proto(stored.get(outcome.id, outcome))
        for outcome in outcomes
    ]


def _asked(transaction: Transaction, request: declarations_pb2.ReserveEncumbranceRequest) -> Encumbrance:
    today = business_date(transaction.now_us)
    seconds = terms.reserve_seconds(request.reserve_duration.seconds, today)
    expire_us = transaction.now_us + seconds * MICROSECONDS
    return rpc.asked(request, transaction.caller.tenant, "", transaction.now_us, expire_us)


def _load(transaction: Transaction, asked: Sequence[Encumbrance]) -> Register:
    connection = transaction.connection
    numbers = {item.declaration for one in asked for item in one.items}
    declarations = declaration_store.load(connection, numbers)
    store.open_values(transaction, list(declarations.values()))
    candidates: list[Transfer] = []
    for one in asked:
        candidates += model.reserve_transfers(one, transaction.now_us)
    sitting = ledger.Sitting(connection, candidates, transaction.now_us)
    known = store.load(connection, [one.id for one in asked])
    return Register(declarations, known, store.standing_on(connection, numbers), sitting)


def _decide(transaction: Transaction, register: Register, asked: Encumbrance) -> Encumbrance | DomainError:
    """The encumbrance as it stands, or why it is refused."""
    try:
        if known := register.encumbrances.get(asked.id):
            return _same(known, asked)
        declarations = _visible(transaction, register, asked)
        encumbrance = dataclasses.replace(asked, enterprise=declarations[0].enterprise)
        _check_items(encumbrance, declarations)
        _check_eligible(transaction, declarations)
        _check_others(register, encumbrance)
        return _hold(transaction, register, encumbrance)
    except DomainError as refusal:
        return refusal


def _same(known: Encumbrance, asked: Encumbrance) -> Encumbrance:
    """The one that stands, if it is the same; a tombstone refuses a late reservation."""
    if known.holder == asked.holder and known.state is State.RELEASED and not known.items:
        raise errors.EncumbranceReleased(encumbrance=asked.name)
    said = ("holder", "asset_class", "pari_passu", "reference")
    amounts = [(item.declaration, item.amount) for item in known.items]
    if amounts != [(item.declaration, item.amount) for item in asked.items] or any(
        getattr(known, field) != getattr(asked, field) for field in said
    ):
        raise errors.EncumbranceIdTaken(encumbrance=asked.name)
    return known


def _visible(transaction: Transaction, register: Register, asked: Encumbrance) -> list[Declaration]:
    """The declarations, if the enterprises consented to the caller for this; what doesn't exist nobody consented to."""
    purpose = PURPOSES[asked.asset_class]
    consents = register.consents_of(transaction, purpose)
    found = [register.declarations.get(item.declaration) for item in asked.items]
    visible = [one for one in found if one is not None and one.enterprise in consents]
    if len(visible) < len(found):
        raise errors.ConsentMissing
    for one in visible:
        seen = Seen(one.enterprise, consents[one.enterprise], "ReserveEncumbrance", [one.name], purpose)
        register.disclosed.append((transaction, seen))
    return visible


def _check_items(encumbrance: Encumbrance, declarations: Sequence[Declaration]) -> None:
    """One enterprise, each declaration once, in its own currency, positive amounts."""
    problems = [
        Problem(f"encumbrance.items[{index}].amount", reason, english, chinese)
        for index, (item, declaration) in enumerate(zip(encumbrance.items, declarations, strict=True))
        for is_wrong, reason, english, chinese in (
            (item.amount.minor_units <= 0, "AMOUNT_NOT_POSITIVE", "Ask for a positive amount.", "金额须为正数。"),
            (
                item.amount.currency != declaration.value.currency,
                "CURRENCY_DIFFERS",
                f"The declaration is in {declaration.value.currency}; use that currency.",
                f"报关单币种为 {declaration.value.currency}，请使用该币种。",
            ),
        )
        if is_wrong
    ]
    if len({item.declaration for item in encumbrance.items}) < len(encumbrance.items):
        problems.append(
            Problem(
                "encumbrance.items", "DECLARATION_REPEATED", "Name each declaration once.", "每份报关单只能列一次。"
            )
        )
    if len({declaration.enterprise for declaration in declarations}) > 1:
        problems.append(
            Problem("encumbrance.items", "SEVERAL_ENTERPRISES", "All must be of one exporter.", "须属于同一出口企业。")
        )
    if problems:
        raise InvalidFields(problems)


def _check_eligible(
    transaction: Transaction, declarations: Sequence[Declaration], *, needs: Sequence[str] = ()
) -> None:
    """Whether value may be reserved; with `needs`, whether the verdict is one of these."""
    for declaration in declarations:
        verdict, reasons = declaration.verdict(transaction.now_us)
        if verdict not in (needs or (declaration_model.FINAL, declaration_model.CONDITIONAL)):
            language = transaction.caller.language
            explanation = " ".join(reason.text(language) for reason in reasons)
            raise errors.ValueNotEligible(
                reasons, declaration=declaration.name, explanation=explanation, status=declaration.status
            )


def _check_others(register: Register, encumbrance: Encumbrance) -> None:
    """Invariant I6: another holder's encumbrance leaves nothing to others unless all rank equally."""
    for item in encumbrance.items:
        standing = register.standing.get(item.declaration, ())
        if model.barring(standing, encumbrance.holder, encumbrance.asset_class, encumbrance.pari_passu):
            raise _encumbered(item.declaration, item.amount.zero(), True)


def _hold(transaction: Transaction, register: Register, encumbrance: Encumbrance) -> Encumbrance:
    results = register.sitting.attempt(model.reserve_transfers(encumbrance, transaction.now_us))
    if not all(result.stands for result in results):
        source, _ = model.SIDES[encumbrance.asset_class]
        for item in encumbrance.items:
            account = register.sitting.account(model.part_id(item.declaration, source))
            if account.available_to_debit < item.amount.minor_units:
                standing = register.standing.get(item.declaration, ())
                by_another = any(one.holder != encumbrance.holder for one in standing)
                left = Money(item.amount.currency, account.available_to_debit)
                raise _encumbered(item.declaration, left, by_another)
        raise ledger.LedgerRefused(result=results[-1].value, reference=encumbrance.name)
    register.grant(transaction, encumbrance)
    return encumbrance


def _encumbered(number: str, available: Money, by_another: bool) -> errors.ValueEncumbered:
    return errors.ValueEncumbered(
        declaration=f"declarations/{number}",
        available=available.major(),
        currency=available.currency,
        encumbered_by_another=str(by_another).lower(),
    )


def reserve_many(
    transaction: Transaction, request: declarations_pb2.BatchReserveEncumbrancesRequest
) -> declarations_pb2.BatchReserveEncumbrancesResponse:
    """Many reservations of one caller, each with its own verdict."""
    outcomes = reserve_batch([(transaction, one) for one in request.requests])
    verdicts = [_verdict(outcome, transaction.caller.language) for outcome in outcomes]
    return declarations_pb2.BatchReserveEncumbrancesResponse(verdicts=verdicts)


def _verdict(outcome: Any, language: str) -> declarations_pb2.EncumbranceVerdict:
    if not isinstance(outcome, DomainError):
        return declarations_pb2.EncumbranceVerdict(encumbrance=outcome)
    told = Problem("", outcome.reason, outcome.text("en"), outcome.text("zh-CN"))
    verdict = declarations_pb2.EncumbranceVerdict(problem=problem(told, language))
    if isinstance(outcome, errors.ValueEncumbered):
        currency = outcome.metadata["currency"]
        left = money.rounded(Decimal(outcome.metadata["available"]), currency)
        verdict.available.CopyFrom(money.to_proto(left))
    return verdict


def _held(transaction: Transaction, name: str) -> Encumbrance:
    """The caller's own encumbrance. NotFound for anyone else's."""
    identifier = name.removeprefix("encumbrances/")
    encumbrance = store.load(transaction.connection, [identifier]).get(identifier)
    if encumbrance is None or encumbrance.holder != transaction.caller.tenant:
        raise NotFound(resource=name)
    return encumbrance


def confirm(
    transaction: Transaction, request: declarations_pb2.ConfirmEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Turns a reservation, or the parts named, into finance."""
    encumbrance = _held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    state = moved(TRANSITIONS, encumbrance, Verb.CONFIRM)
    if encumbrance.expire_us <= transaction.now_us:
        raise errors.EncumbranceExpired(encumbrance=encumbrance.name)
    numbers = [item.declaration for item in encumbrance.items]
    declarations = declaration_store.load(transaction.connection, numbers)
    _check_eligible(transaction, list(declarations.values()), needs=(declaration_model.FINAL,))
    amounts = _confirmed_amounts(encumbrance, request)
    ledger.post(transaction, *model.confirm_transfers(encumbrance, amounts))
    items = tuple(
        dataclasses.replace(item, amount=amounts[item.declaration])
        for item in encumbrance.items
        if amounts[item.declaration]
    )
    confirmed = dataclasses.replace(encumbrance, state=state, items=items)
    return rpc.to_proto(store.save(transaction, confirmed, "encumbrance.confirmed"))


def _confirmed_amounts(
    encumbrance: Encumbrance, request: declarations_pb2.ConfirmEncumbranceRequest
) -> dict[str, Money]:
    """How much of each item is confirmed: all, or what the request names."""
    if not request.items:
        return {item.declaration: item.amount for item in encumbrance.items}
    asked = {rpc.number(item.declaration): money.from_proto(item.amount) for item in request.items}
    amounts = {item.declaration: asked.pop(item.declaration, item.amount.zero()) for item in encumbrance.items}
    for item in encumbrance.items:
        if not item.amount.zero() <= amounts[item.declaration] <= item.amount:
            asked[item.declaration] = amounts[item.declaration]
    for number in asked:
        raise errors.AmountExceedsReservation(declaration=f"declarations/{number}", encumbrance=encumbrance.name)
    return amounts


def release(
    transaction: Transaction, request: declarations_pb2.ReleaseEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Gives the value back; an unknown id leaves a tombstone."""
    identifier = request.name.removeprefix("encumbrances/")
    known = store.load(transaction.connection, [identifier]).get(identifier)
    if known is None:
        return _tombstone(transaction, identifier)
    encumbrance = _held(transaction, request.name)
    if encumbrance.state in (State.RELEASED, State.EXPIRED):
        return rpc.to_proto(encumbrance)
    check_etag(request.etag, encumbrance)
    return rpc.to_proto(_release(transaction, encumbrance))


def _release(transaction: Transaction, encumbrance: Encumbrance) -> Encumbrance:
    state = moved(TRANSITIONS, encumbrance, Verb.RELEASE)
    ledger.post(transaction, *model.release_transfers(encumbrance))
    return store.save(transaction, dataclasses.replace(encumbrance, state=state), "encumbrance.released")


def _tombstone(transaction: Transaction, identifier: str) -> declarations_pb2.Encumbrance:
    """Refuses a reservation that comes after its own release."""
    holder, now_us = transaction.caller.tenant, transaction.now_us
    tombstone = Encumbrance(
        identifier, holder, "", AssetClass.RECEIVABLE, (), False, State.RELEASED, 0, "", 0, now_us, 1
    )
    store.add(transaction, tombstone, "encumbrance.released")
    return rpc.to_proto(tombstone)


def expire(transaction: Transaction) -> bool:
    """Ends reservations whose time is over, a batch at a time."""
    due = store.due(transaction.connection, transaction.now_us, EXPIRE_AT_ONCE)
    for encumbrance in due:
        state = moved(TRANSITIONS, encumbrance, Verb.EXPIRE)
        ledger.post(transaction, *model.expire_transfers(encumbrance))
        store.save(transaction, dataclasses.replace(encumbrance, state=state), "encumbrance.expired")
    return len(due) == EXPIRE_AT_ONCE


def apply_proceeds(
    transaction: Transaction, request: declarations_pb2.ApplyProceedsRequest
) -> declarations_pb2.ApplyProceedsResponse:
    """Applies what the buyer paid to the declaration's value, once a payment."""
    number, connection = rpc.number(request.declaration), transaction.connection
    if known := store.applied(connection, number, request.payment):
        return declarations_pb2.ApplyProceedsResponse.FromString(known)
    declaration = declaration_store.load(connection, [number]).get(number)
    if declaration is None:
        raise errors.DeclarationNotFound(declaration=request.declaration)
    amount = money.from_proto(request.amount)
    if amount.currency != declaration.value.currency:
        raise errors.ValueNotEligible(
            declaration=declaration.name, explanation=f"{declaration.value.currency} / {amount.currency}"
        )
    store.open_values(transaction, [declaration])
    _give_way(transaction, declaration, amount)
    response = _settle(transaction, declaration, request.payment, amount)
    store.add_applied(connection, number, request.payment, response.SerializeToString())
    return response


def _give_way(transaction: Transaction, declaration: Declaration, amount: Money) -> None:
    """Releases reservations that the payment leaves no value for: nothing already paid is lent on."""
    reserved = [
        one
        for one in store.standing_on(transaction.connection, [declaration.id]).get(declaration.id, ())
        if one.state is State.RESERVED and one.asset_class is AssetClass.RECEIVABLE
    ]
    for encumbrance in sorted(reserved, key=lambda one: (-one.create_us, one.id)):
        value = store.value(transaction.connection, declaration, transaction.now_us)
        if amount <= value.financed + value.free + value.margin:
            return
        _release(transaction, encumbrance)


def _settle(
    transaction: Transaction, declaration: Declaration, payment: str, amount: Money
) -> declarations_pb2.ApplyProceedsResponse:
    value = store.value(transaction.connection, declaration, transaction.now_us)
    standing = store.standing_on(transaction.connection, [declaration.id]).get(declaration.id, [])
    application = model.apply_proceeds(declaration.id, value, standing, amount)
    ledger.post(transaction, *model.proceeds_transfers(declaration.id, payment, application))
    for settled in application.settled:
        store.save(transaction, model.settle_item(settled, declaration.id), "encumbrance.settled")
    transaction.append(
        "declaration.settled",
        declaration.name,
        declaration_rpc.to_proto(declaration, transaction.now_us),
        [declaration.enterprise],
    )
    return declarations_pb2.ApplyProceedsResponse(
        settled_encumbrances=map(rpc.settled, application.settled),
        unfinanced=money.to_proto(application.free + application.margin),
        excess=money.to_proto(application.excess),
        enterprise=declaration.enterprise,
    )
