"""Registrations made by version 1 of names' normal form keep matching; new ones match across scripts and legal forms.

tests/fixtures/registrations/version_1.json holds the rows as the release of before wrote them, by the tests' key ring:
an invoice of a seller known by its name alone, 许昌发制品有限公司; one of a seller with a code; a bill of Maersk A/S.
"""

import json
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import fingerprint_pb2
from google.type import date_pb2

from chassis.money import Money, to_proto
from tests.service.register_world import BANK, BANKS, ENTERPRISE, OTHER, World

ROWS = json.loads(
    (pathlib.Path(__file__).parents[1] / "fixtures" / "registrations" / "version_1.json").read_text("utf-8")
)
DAY = date_pb2.Date(year=2026, month=11, day=2)
OURS = "Henan Wigs Export Co., Ltd."


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A register with what was registered before."""
    made = World(database_url)
    made.consent(*BANKS)
    with made.store.write() as connection:
        for name, rows in ROWS.items():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            binary = [column.name for column in table.columns if isinstance(column.type, sa.LargeBinary)]
            connection.execute(
                sa.insert(table), [row | {key: bytes.fromhex(row[key]) for key in binary} for row in rows]
            )
    yield made
    assert made.violations() == []
    made.store.close()


def bought(seller: str, number: str) -> Any:
    """An invoice that the enterprise got from a seller known by name alone."""
    document = fingerprint_pb2.FinancedDocument()
    document.invoice.seller.name = seller
    document.invoice.buyer.name, document.invoice.buyer.enterprise = OURS, ENTERPRISE
    document.invoice.number = number
    document.invoice.date.CopyFrom(DAY)
    document.invoice.amount.CopyFrom(to_proto(Money("USD", 48_700_00)))
    return document


def sold(buyer: str, number: str) -> Any:
    """An invoice of the enterprise to a buyer."""
    document = bought(OURS, number)
    document.invoice.seller.enterprise = ENTERPRISE
    document.invoice.buyer.name = buyer
    document.invoice.buyer.ClearField("enterprise")
    return document


def carried(carrier: str, number: str) -> Any:
    """A transport document."""
    document = fingerprint_pb2.FinancedDocument()
    document.transport_document.carrier, document.transport_document.number = carrier, number
    document.transport_document.date.CopyFrom(DAY)
    return document


def scores(world: World, *documents: Any) -> list[int]:
    """Returns the score of the best match of each document that another bank asks about, 0 for none."""
    request = fingerprint_pb2.CheckDocumentsRequest(applicant=ENTERPRISE, documents=documents)
    answer = world.call("CheckDocuments", request, OTHER)
    return [found.matches[0].score if found.matches else 0 for found in answer.documents]


def register(world: World, *documents: Any) -> None:
    """A bank finances them."""
    registration = fingerprint_pb2.Registration(
        applicant=ENTERPRISE, amount=to_proto(Money("USD", 1_000_00)), documents=documents
    )
    request = fingerprint_pb2.RegisterDocumentsRequest(registration_id=str(uuid.uuid4()), registration=registration)
    world.call("RegisterDocuments", request, BANK)


def test_what_was_registered_before_matches_as_it_did(world: World) -> None:
    documents = [
        bought("许昌发制品股份有限公司", "INV-2026-0117"),
        sold("ATLANTIC HAIR COMPANY LIMITED", "INV-2026-0221"),
        carried("MAERSK A/S", "MAEU-26110441"),
    ]
    assert scores(world, *documents) == [100, 100, 100]
    assert 0 < scores(world, bought("许昌发制品有限公司", "inv 2026/117"))[0] < 100
    assert scores(world, bought("新乡发制品有限公司", "INV-2026-0117")) == [0]


NAMES_OF_THE_SELLER = [
    "许昌发制品有限公司",
    "Xuchang Fazhipin Co., Ltd.",
    "XUCHANG FAZHIPIN COMPANY LIMITED",
    "Xuchang Fazhipin Youxian Gongsi",
    "Хuchang Fаzhipin Со., Ltd.",
]


@pytest.mark.parametrize("registered", NAMES_OF_THE_SELLER)
def test_what_is_registered_now_matches_however_its_party_is_written(world: World, registered: str) -> None:
    register(world, bought(registered, "INV-2026-0555"), sold(registered, "INV-2026-0777"))
    for name in NAMES_OF_THE_SELLER:
        assert scores(world, bought(name, "INV-2026-0555"), sold(name, "INV-2026-0777")) == [100, 100]
    assert scores(world, bought("Xinxiang Fazhipin Co., Ltd.", "INV-2026-0555")) == [0]


def test_new_rows_are_kept_under_the_newest_version_alone(world: World) -> None:
    """Each identity costs tokens: one of the code, one of the name."""
    register(world, sold("Atlantic Hair Co., Ltd.", "INV-2026-0888"))
    with world.store.read() as connection:
        query = sa.text("SELECT parties FROM registered_documents WHERE registration <> :before")
        (parties,) = connection.execute(query, {"before": ROWS["registrations"][0]["id"]}).scalars()
    assert len(parties.split()) == 1
