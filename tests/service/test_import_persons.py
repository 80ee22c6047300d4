"""Natural persons of mapped files: sealed with the order that names them, and with the row that is refused."""

import asyncio
import csv
import json
import pathlib

import pytest
from aval.declarations.v1 import intake_pb2, personal_pb2, retail_pb2

from cli import local, refusals
from cli.layout import Layout
from services.declarations.window.retail.identity import order_id
from tests.service.test_import_files import MAPPINGS, layout, run
from tests.service.test_personal_data import forms, stored_in

__all__ = ["layout"]

BUYER = personal_pb2.Person(
    part="BUYER", name="慕容雪舞", identity_type="1", identity_number="41102319881207351X", telephone="13937482216"
)
CONSIGNEE = personal_pb2.Person(part="CONSIGNEE", name="Grzegorz Brzęczyszczykiewicz", address="许昌市梨园路七十三号院")
REFUSED = personal_pb2.Person(part="BUYER", name="欧阳慕蓉蓉", telephone="13900007777")
SECRETS = {
    value.strip()
    for each_person in (BUYER, CONSIGNEE, REFUSED)
    for _, value in each_person.ListFields()
    if len(str(value)) > 3
}
HEAD = ("订单编号", "下单时间", "订购人", "订购人身份证号", "订购人电话", "收货人", "收货地址", "商品", "数量", "金额")
GOODS = "婴儿奶粉配方三段"


def order(number: str, *persons: personal_pb2.Person, quantity: str = "2") -> list[str]:
    """A line of an order."""
    named = {personal_pb2.Person.Part.Name(each_person.part): each_person for each_person in persons}
    buyer, consignee = (named.get(part, personal_pb2.Person()) for part in ("BUYER", "CONSIGNEE"))
    person = [buyer.name, buyer.identity_number, buyer.telephone, consignee.name, consignee.address]
    return [number, "2026-11-02 10:00:00", *person, GOODS, quantity, "100.00"]


def write(file: pathlib.Path, *rows: list[str]) -> pathlib.Path:
    """As CSV or, packed as objects, as JSON Lines."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        if file.suffix == ".csv":
            csv.writer(opened).writerows([HEAD, *rows])
        else:
            opened.writelines(json.dumps(dict(zip(HEAD, row, strict=True))) + "\n" for row in rows)
    return file


async def persons(layout: Layout, number: str) -> list[personal_pb2.Person]:
    """Those of an order."""
    name = f"retailOrders/{order_id(retail_pb2.IMPORT, '4101W6000A', number)}"
    request = personal_pb2.GetPersonalDataRequest(name=name, reason="a question about the buyer")
    async with local.declarations(layout) as client:
        found: personal_pb2.PersonalData = await client.call("declarations", "GetPersonalData", request, local.WINDOW)
    return list(found.persons)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_persons_of_a_mapped_file_are_sealed(layout: Layout, tmp_path: pathlib.Path, suffix: str) -> None:
    mapping = MAPPINGS / "retail_orders.toml"
    both, alone = order("YL-1", BUYER, CONSIGNEE), order("YL-2")
    twice = [both, both] if suffix == ".csv" else [both]
    # A quantity that is none, which the mapping finds, and one that the service refuses.
    refused = [order("YL-3", REFUSED, quantity="2o"), order("YL-4", REFUSED, quantity="0.0000000001")]
    report = run(layout, [write(tmp_path / f"orders{suffix}", *twice, alone, *refused)], mapping)
    assert (report["accepted"], report["refused_documents"]) == (2, 2)
    assert asyncio.run(persons(layout, "YL-1")) == [BUYER, CONSIGNEE]
    content = stored_in(layout.database_in_use(), tmp_path / "store")
    assert GOODS.encode() in content
    assert {secret for secret in SECRETS if any(form in content for form in forms(secret))} == set()
    found = asyncio.run(refusals.listed(layout, intake_pb2.ListRefusedDocumentsRequest(), 10))
    for entry in found:
        _, kept = asyncio.run(refusals.load(layout, entry["name"]))
        assert REFUSED.name in kept.decode() or REFUSED.name in str(json.loads(kept))
    mended = write(tmp_path / f"mended{suffix}", order("YL-3", REFUSED), order("YL-4", REFUSED))
    assert run(layout, [mended], mapping)["accepted"] == 2
    (buyer,) = asyncio.run(persons(layout, "YL-4"))
    assert (buyer.name, buyer.telephone, buyer.identity_type) == (REFUSED.name, REFUSED.telephone, "1")
    assert asyncio.run(refusals.listed(layout, intake_pb2.ListRefusedDocumentsRequest(state="REFUSED"), 10)) == []
