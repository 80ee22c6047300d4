"""One process of a race for one declaration's value: it goes on until it is done, or killed; a line for each commit.

python -m tests.race_load URL MODE SEED ROUNDS DECLARATION
"""

import contextlib
import functools
import json
import random
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import value_pb2
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int64Value

from chassis import tables
from chassis.clock import MICROSECONDS
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.errors import DomainError
from chassis.identity import Caller
from chassis.money import Money
from chassis.writer import run_batch
from services.declarations.assets import returns
from services.declarations.kinds import KINDS
from services.declarations.register import proof as register_proof
from services.declarations.register.breach import store as breach_store
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, State
from services.declarations.register.protocol import releasing as protocol_releasing
from services.declarations.service import SERVICE
from services.declarations.window.declaration import store as declaration_store
from tests.service.register_world import INSURER, SETTLEMENT, VALUE, WINDOW, World, institution, usd
from tests.support import ring

INSTITUTIONS = [f"banks/RACE{chr(65 + index // 26)}{chr(65 + index % 26)}N0" for index in range(64)]
ROUND_US = MICROSECONDS // 2
MOVES_AT_ONCE = 8
Asked = tuple[Operation, Any, Caller]


# One of each method: consecutive requests of one operation are done as one step.
operation = functools.cache(SERVICE.operation)


class Checked(Database):
    """A store that is proved after every commit, over what was raced for."""

    def __init__(self, url: str, asset: str) -> None:
        super().__init__(url, SERVICE.name, ring())
        self._asset = asset
        self.commits = 0
        self.violations: list[str] = []

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """The transaction, and the proof of what it left."""
        with super().write() as connection:
            yield connection
        with self.read() as connection:
            self.violations += register_proof.of_assets(KINDS, connection, [self._asset])
        self.commits += 1


class Race:
    """The work of one process: reservations of all institutions in each round, and what else happens to the value."""

    def __init__(self, url: str, mode: str, seed: int, asset: str) -> None:
        self.store = Checked(url, asset)
        self.asset, self.is_equal = asset, mode == "pari-passu"
        self.random = random.Random(seed)
        self.counted: Counter[str] = Counter()
        self.rounds = 0
        with self.store.read() as connection:
            newest = connection.execute(sa.select(sa.func.max(tables.events.c.create_us))).scalar_one()
        self.now_us = int(newest) + ROUND_US

    def chance(self, per_cent: float) -> bool:
        """Whether it happens this time."""
        return self.random.random() * 100 < per_cent

    def round(self) -> None:
        """One round: a batch of everyone's commands, then what is due by the clock."""
        self.now_us += ROUND_US
        self.rounds += 1
        with self.store.read() as connection:
            standing = encumbrance_store.standing_on(connection, [self.asset]).get(self.asset, [])
            open_breaches = breach_store.open_on(connection, [self.asset])
        others = [*self.of_holders(standing), *self.of_the_world()]
        alone: list[Asked] = []
        if self.chance(50):
            others, alone = self.parted(others)
        for breach in open_breaches:
            others += self.of_breach(breach)
        self.run(self.among(list(self.reservations()), others))
        for pair in alone:
            self.run([pair])
        if self.chance(30):
            self.run([(EXPIRE, Int64Value(value=0), SETTLEMENT)])

    def parted(self, asked: list[Asked]) -> tuple[list[Asked], list[Asked]]:
        """Parts what customs says from the rest: it comes in batches of its own, beside another's reservations."""
        alone = [pair for pair in asked if pair[2] is WINDOW]
        return [pair for pair in asked if pair[2] is not WINDOW], alone

    def among(self, reservations: list[Asked], others: list[Asked]) -> list[Asked]:
        """Everyone's reservations in any order, the others in some places among them."""
        self.random.shuffle(reservations)
        for _ in range(3):
            place = self.random.randrange(len(reservations) + 1)
            here, others = others[::2], others[1::2]
            reservations[place:place] = here
        return reservations

    def run(self, asked: Sequence[Asked]) -> None:
        """One batch of the writer, and what became of each."""
        submissions = [self.submission(*pair) for pair in asked]
        outcomes = run_batch(self.store, submissions)
        for submission in submissions:
            outcome, method = outcomes[submission], submission.operation.method.rpartition("/")[2].rpartition(".")[2]
            if isinstance(outcome, DomainError):
                self.counted[f"{method} {outcome.reason}"] += 1
            elif isinstance(outcome, Exception):
                self.counted[f"{method} failed: {outcome!r}"] += 1
            else:
                self.counted[f"{method} OK"] += 1

    def submission(self, method: Operation, request: Any, caller: Caller) -> Submission:
        """A request of this round."""
        identifier = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        if not isinstance(request, Int64Value):
            request.request_id = identifier
        return Submission(method, caller, request, identifier, self.now_us, self.random.randbytes(16))

    def reservations(self) -> Iterator[Asked]:
        """Each institution tries once; at times an insurer too."""
        for tenant in INSTITUTIONS:
            units = self.random.randrange(1, VALUE // (80 if self.is_equal else 8))
            yield self.reserve(tenant, units, "RECEIVABLE")
        if self.chance(20):
            yield self.reserve(INSURER, self.random.randrange(1, VALUE // 10), "INSURANCE")

    def reserve(self, tenant: str, units: int, asset_class: str) -> Asked:
        """A reservation for some seconds."""
        item = pb.EncumberedValue(asset=self.asset, amount=usd(units))
        held = pb.Encumbrance(items=[item], pari_passu=self.is_equal and not self.chance(2))
        held.asset_class = pb.Encumbrance.AssetClass.Value(asset_class)  # type: ignore[assignment]
        identifier = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        request = pb.ReserveEncumbranceRequest(encumbrance_id=identifier, encumbrance=held)
        request.reserve_duration.seconds = self.random.randrange(1, 4)
        return operation("ReserveEncumbrance"), request, institution(tenant)

    def of_holders(self, standing: Sequence[Encumbrance]) -> Iterator[Asked]:
        """Holders confirm, all or a part, and give back, all or a part."""
        leaves = self.chance(3) and not self.is_equal
        for encumbrance in standing if leaves else self.random.sample(standing, min(len(standing), MOVES_AT_ONCE)):
            caller = institution(encumbrance.holder)
            if leaves or self.chance(45):
                yield operation("ReleaseEncumbrance"), self.release_request(encumbrance), caller
            elif encumbrance.state is State.RESERVED:
                yield operation("ConfirmEncumbrance"), self.confirm_request(encumbrance), caller

    def release_request(self, encumbrance: Encumbrance) -> pb.ReleaseEncumbranceRequest:
        """All of it, or a part of what is outstanding."""
        request = pb.ReleaseEncumbranceRequest(name=encumbrance.name)
        left = encumbrance.items[0].outstanding.minor_units
        if encumbrance.state is State.CONFIRMED and left > 1 and self.chance(40):
            request.items.add(asset=self.asset, amount=usd(self.random.randrange(1, left)))
        return request

    def confirm_request(self, encumbrance: Encumbrance) -> pb.ConfirmEncumbranceRequest:
        """All of it, or a part."""
        request = pb.ConfirmEncumbranceRequest(name=encumbrance.name)
        if self.chance(30):
            units = self.random.randrange(1, encumbrance.items[0].amount.minor_units + 1)
            request.items.add(asset=self.asset, amount=usd(units))
        return request

    def of_the_world(self) -> Iterator[Asked]:
        """Customs amends and holds, goods come back, the buyer pays."""
        if self.rounds % 7 == 3 or self.chance(5):
            yield self.amendment(self.amended_units())
        if self.chance(4):
            yield TAKE_BACK, Int64Value(value=self.random.randrange(1, VALUE // 1000)), SETTLEMENT
        if self.chance(6):
            amount = usd(self.random.randrange(1, VALUE // 500))
            payment = f"incomingPayments/{self.random.getrandbits(64)}"
            request = pb.ApplyProceedsRequest(asset=self.asset, payment=payment, amount=amount)
            yield operation("ApplyProceeds"), request, SETTLEMENT
        if self.chance(3):
            yield operation("BatchCreateReceipts"), self.receipts("H"), WINDOW
        if self.chance(30):
            yield operation("BatchCreateReceipts"), self.receipts("R"), WINDOW

    def amended_units(self) -> int:
        """Up to almost twice the value, or so little that what is financed falls short."""
        low, high = (VALUE // 50, VALUE // 3) if self.chance(50) else (VALUE // 2, VALUE * 19 // 10)
        return self.random.randrange(low, high)

    def amendment(self, units: int) -> Asked:
        """The declaration with another value."""
        row = declaration_row(self.asset, units)
        row.amend_time.FromMicroseconds(self.now_us)
        return operation("BatchCreateDeclarations"), pb.BatchCreateDeclarationsRequest(declarations=[row]), WINDOW

    def receipts(self, code: str) -> pb.BatchCreateReceiptsRequest:
        """One receipt of the declaration."""
        request = pb.BatchCreateReceiptsRequest()
        receipt = request.receipts.add(declaration_number=self.asset.removeprefix("declarations/"), channel_code=code)
        receipt.notice_time.FromMicroseconds(self.now_us)
        return request

    def of_breach(self, breach: Any) -> Iterator[Asked]:
        """Holders of a share propose and approve, by two people; the etag may be stale by then."""
        for share in breach.shares:
            if share.open and self.chance(25):
                if share.maker:
                    resolve = value_pb2.ResolveBreachRequest(name=breach.name, etag=str(share.revision))
                    yield operation("ResolveBreach"), resolve, institution(share.holder, "checker")
                else:
                    resolution = value_pb2.BreachResolution(kind="REPAID")
                    propose = value_pb2.ProposeBreachResolutionRequest(name=breach.name, resolution=resolution)
                    yield operation("ProposeBreachResolution"), propose, institution(share.holder, "maker")


def declaration_row(name: str, units: int) -> pb.Declaration:
    """Returns the declaration with this value, as customs has it."""
    row = World.row(_Numbers(), units)  # type: ignore[arg-type]
    row.declaration_number = name.removeprefix("declarations/")
    return row


class _Numbers:
    """In place of a world: the number doesn't count."""

    _numbers = iter(lambda: 1, 0)


def _expire(transaction: Transaction, request: Int64Value) -> Message:
    protocol_releasing.expire(transaction)
    return request


ASSET = ""


def _take_back(transaction: Transaction, request: Int64Value) -> Message:
    number = ASSET.removeprefix("declarations/")
    declaration = declaration_store.load(transaction.connection, [number])[number]
    returns.take_back(transaction, declaration, Money("USD", request.value))
    return request


EXPIRE = Operation("tests.Expire", Int64Value, run=_expire)
TAKE_BACK = Operation("tests.TakeBack", Int64Value, run=_take_back, names=lambda _request: [ASSET])


def main(url: str, mode: str, seed: str, rounds: str, asset: str) -> None:
    """Races; each line says what was done since the last."""
    global ASSET
    ASSET = asset
    race = Race(url, mode, int(seed), asset)
    for _ in range(int(rounds)):
        race.round()
        line = {"counted": race.counted, "commits": race.store.commits, "violations": race.store.violations}
        sys.stdout.write(f"{json.dumps(line)}\n")
        sys.stdout.flush()
        race.counted, race.store.commits, race.store.violations = Counter(), 0, []


if __name__ == "__main__":
    main(*sys.argv[1:])
