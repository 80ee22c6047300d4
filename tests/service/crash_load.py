"""A process that pays and pays until it is killed; each answered request id is a line on its standard output.

With a second argument it pays once and kills itself right before or right after the commit.
"""

import contextlib
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from chassis import business_date
from chassis.command import Operation, Transaction
from chassis.database import Database
from chassis.writer import run_batch
from ledger import store as ledger_store
from ledger.model import Transfer
from tests.support import NOW_US, submission, uid

FROM, TO = uid("from"), uid("to")
BATCH = 7


def _pay(transaction: Transaction, request: StringValue) -> Message:
    transfer = Transfer(uid("payment", request.value), FROM, TO, 1)
    ledger_store.post(transaction, transfer)
    transaction.append("payment.made", f"payments/{request.value}", request, [transaction.caller.tenant])
    return StringValue(value="OK")


PAY = Operation("tests.Pay", StringValue, run=_pay)


class DyingDatabase(Database):
    """A store whose process dies beside its first commit."""

    moment = "before"

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """The transaction, and the end."""
        with super().write() as connection:
            yield connection
            if self.moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def _pay_for_ever(database: Database) -> None:
    while True:
        batch = [submission(PAY, str(key), str(key)) for key in (uuid.uuid4() for _ in range(BATCH))]
        outcomes: dict[Any, Any] = run_batch(database, batch)
        answered = [each.request_id for each in batch if isinstance(outcomes[each], StringValue)]
        os.write(1, "".join(f"{key}\n" for key in answered).encode())


def main(url: str, moment: str = "") -> None:
    """Pays."""
    if not moment:
        _pay_for_ever(Database(url, "books"))
    database = DyingDatabase(url, "books")
    with Database(url, "books").write() as connection:
        # The first command of a store begins its business date, in a commit of its own.
        business_date.follow(connection, NOW_US)
    database.moment = moment
    run_batch(database, [submission(PAY, moment, moment)])


if __name__ == "__main__":
    main(*sys.argv[1:])
