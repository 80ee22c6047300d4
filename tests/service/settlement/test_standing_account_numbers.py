"""A store of the version before gets numbers of accounts and ends of payments out, and keeps what it has."""

import pathlib
import shutil

import sqlalchemy as sa

from chassis import records
from ledger.store import MIGRATIONS as LEDGER_VERSIONS
from services.settlement.account import store as account_store
from services.settlement.account.model import Account
from services.settlement.outgoing_payment.model import DAY_US, OutgoingPayment, State
from services.settlement.service import VERSIONS
from services.settlement.tables import accounts, outgoing_payments
from tests.support import Stores, migrate

ACCOUNT = "0f8fad5b-d9cb-469f-a165-70867728950e"
MIGRATION = "account_numbers_and_ends_of_payments_out.py"


def test_standing_accounts_and_payments_are_carried_over(store: Stores, tmp_path: pathlib.Path) -> None:
    old = tmp_path / "settlement" / "versions"
    old.mkdir(parents=True)
    migrations = sorted(pathlib.Path(VERSIONS).glob("0*.py"))
    carried_over = next(index for index, path in enumerate(migrations) if path.name.endswith(MIGRATION))
    for path in migrations[:carried_over]:
        shutil.copy(path, old / path.name)
    database = store("settlement", [LEDGER_VERSIONS, str(old)])
    with database.write() as connection:
        for name, row in (("accounts", OLD_ACCOUNT), ("outgoing_payments", OLD_PAYMENT)):
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            connection.execute(sa.insert(table).values(row))
    migrate(database, [LEDGER_VERSIONS, VERSIONS])
    with database.read() as connection:
        account = records.one(connection, accounts, Account)
        payment = records.one(connection, outgoing_payments, OutgoingPayment)
        assert account_store.of_number(connection, "banks/LMHFCNB0", ACCOUNT.replace("-", "")) == account
    assert account is not None
    assert (account.iban, account.account_number, account.number) == ("", "", ACCOUNT.replace("-", ""))
    assert payment is not None
    assert (payment.state, payment.reason, payment.expire_us) == (State.PENDING_APPROVAL, "", 5 + 7 * DAY_US)


OLD_ACCOUNT = {
    "id": ACCOUNT,
    "bank": "banks/LMHFCNB0",
    "owner": "enterprises/91411023MAXY00112A",
    "currency": "USD",
    "kind": "CURRENT",
    "create_us": 5,
}
OLD_PAYMENT = {
    "id": "payment-a",
    "bank": "banks/LMHFCNB0",
    "enterprise": "enterprises/91411023MAXY00112A",
    "debit_account": ACCOUNT,
    "amount_currency": "USD",
    "amount_minor_units": 100,
    "creditor_name": "ACME",
    "creditor_account": "1",
    "creditor_agent_bic": "PCHTUSN0",
    "creditor_town": "Atlanta",
    "creditor_country": "US",
    "remittance_information": "",
    "uetr": "8a562c67-ca16-48ba-b074-65581be6f011",
    "state": "PENDING_APPROVAL",
    "message": b"",
    "create_us": 5,
    "revision": 1,
}
