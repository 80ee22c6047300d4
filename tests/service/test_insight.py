"""Totals, portraits, findings, filters and exports, over what was declared."""

import base64
import csv
import datetime
import io
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, insight_pb2, retail_pb2
from google.type import date_pb2

from bench.declarations import enterprises
from chassis import paging, records
from chassis.clock import MICROSECONDS
from chassis.database import Database
from chassis.errors import InvalidFields, InvalidPageToken, NotFound
from chassis.identity import Caller
from chassis.money import Money, to_proto
from services.declarations.insight.norms.model import LEVELS
from services.declarations.insight.norms.store import price_norms
from services.declarations.insight.portrait import commands as portrait_commands
from services.declarations.insight.portrait import store as portrait_store
from services.declarations.insight.portrait.model import Inputs, assess
from services.declarations.privacy.errors import ConsentMissing
from tests.service.insight_world import (
    BANK,
    ENTERPRISES,
    EXPORTER,
    NOW_US,
    REGULATOR,
    RIVAL,
    WINDOW,
    Register,
    goods,
    number,
    row,
)
from tests.support import ring

Query = insight_pb2.QueryStatisticsRequest
DAY_US = 86_400 * MICROSECONDS


@pytest.fixture
def register(database_url: str) -> Iterator[Register]:
    database = Database(database_url, "declarations", ring())
    yield Register(database)
    database.close()


def asked(register: Register, caller: Caller, *group_by: Any, **fields: Any) -> dict[tuple[str, ...], Any]:
    """Rows of 2026 by what tells them apart."""
    request = Query(**{"from_month": "2026-01", "to_month": "2026-12", **fields}, group_by=group_by)
    rows = register.ask("QueryStatistics", request, caller).rows
    return {
        (entry.month, entry.trade_mode, entry.country, entry.chapter, entry.value.currency_code): entry
        for entry in rows
    }


def test_totals_grow_against_the_year_before(register: Register) -> None:
    register.declare(row(1, goods(cents=100_00), day="2025-11-02"), row(2, goods(cents=150_01), day="2026-11-05"))
    register.declare(row(3, goods(cents=33), day="2026-10-05"), row(4, direction=1, day="2026-11-30"))
    register.receive((number(4, 1), "E"))
    register.settle()
    found = asked(register, REGULATOR, Query.MONTH)
    october, november = found["2026-10", "", "", "", "USD"], found["2026-11", "", "", "", "USD"]
    assert (october.declarations, october.value.minor_units, october.HasField("value_growth")) == (1, 330, False)
    assert (november.declarations, november.value.minor_units) == (1, 1500_10)
    assert (november.value_before.minor_units, november.value_growth.value) == (1000_00, "0.5001")
    assert november.declarations_growth.value == "0.0000"
    (total,) = asked(register, REGULATOR).values()
    assert (total.declarations, total.declarations_before, total.value_growth.value) == (2, 1, "0.5034")


def test_answers_say_as_of_when_they_are(register: Register) -> None:
    """Events that wait to be counted are no reason to take the totals for the present."""
    register.declare(row(1))
    register.settle()
    requests: list[tuple[str, Any]] = [
        ("QueryStatistics", Query(from_month="2026-01", to_month="2026-12")),
        ("QueryStatisticsChanges", insight_pb2.QueryStatisticsChangesRequest()),
        ("ListTradeFindings", insight_pb2.ListTradeFindingsRequest()),
    ]

    def told() -> set[int]:
        return {register.ask(method, entry, REGULATOR).as_of_time.ToMicroseconds() for method, entry in requests}

    register.now_us += DAY_US
    assert told() == {register.now_us}
    waiting_us = register.now_us
    register.declare(row(2))
    register.now_us += DAY_US
    register.declare(row(3))
    assert told() == {waiting_us}
    # A portrait that is computed meanwhile follows from the old totals, and says so.
    while register.sweep(portrait_commands.assess):
        pass
    assert portrait(register).as_of_time.ToMicroseconds() == NOW_US
    register.settle()
    assert told() == {register.now_us}
    assert portrait(register).as_of_time.ToMicroseconds() == register.now_us


def test_what_there_was_only_the_year_before_is_there_too(register: Register) -> None:
    register.declare(row(1, day="2025-03-02"))
    register.settle()
    (gone,) = asked(register, WINDOW, Query.MONTH).values()
    assert (gone.month, gone.declarations, gone.value_growth.value) == ("2026-03", 0, "-1.0000")


def test_filters_of_totals_and_their_pages(register: Register) -> None:
    modes = [row(index, trade_mode=mode) for index, mode in enumerate(["0110", "9710", "1039"], 1)]
    register.declare(*modes, row(4, goods("8541100000"), destination_country="DEU"), row(5, direction=1))
    register.settle()
    assert len(asked(register, REGULATOR, Query.TRADE_MODE)) == 3
    (only,) = asked(register, REGULATOR, Query.TRADE_MODE, trade_modes=["9710"]).values()
    assert (only.trade_mode, only.declarations) == ("9710", 1)
    assert {key[3] for key in asked(register, REGULATOR, Query.CHAPTER)} == {"67", "85"}
    (german,) = asked(register, REGULATOR, Query.COUNTRY, countries=["DEU"], chapters=["85"]).values()
    assert (german.country, german.declarations) == ("DEU", 1)
    (imports,) = asked(register, REGULATOR, Query.DIRECTION, direction=retail_pb2.IMPORT).values()
    assert (imports.direction, imports.declarations) == (retail_pb2.IMPORT, 1)
    request = Query(from_month="2026-01", to_month="2026-12", group_by=[Query.TRADE_MODE], page_size=1)
    seen = []
    while True:
        page = register.ask("QueryStatistics", request, REGULATOR)
        seen += [entry.trade_mode for entry in page.rows]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == ["0110", "1039", "9710"]


def test_an_enterprise_sees_its_own_totals_only(register: Register) -> None:
    register.declare(row(1), row(2, enterprise=ENTERPRISES[1]), row(3, enterprise=ENTERPRISES[1]))
    register.settle()
    (own,) = asked(register, EXPORTER, enterprise=ENTERPRISES[1]).values()
    (theirs,) = asked(register, RIVAL).values()
    (entry,) = asked(register, REGULATOR, enterprise=ENTERPRISES[1]).values()
    assert (own.declarations, theirs.declarations, entry.declarations) == (1, 2, 2)


def test_the_feed_tells_each_change_once(register: Register) -> None:
    register.declare(row(1), row(2, trade_mode="9710"))
    register.settle()
    request = insight_pb2.QueryStatisticsChangesRequest(page_size=1)
    first = register.ask("QueryStatisticsChanges", request, REGULATOR)
    request.resume_token = first.resume_token
    second = register.ask("QueryStatisticsChanges", request, REGULATOR)
    assert [first.has_more, second.has_more] == [True, False]
    assert [entry.cells[0].trade_mode for entry in (first, second)] == ["0110", "9710"]
    request.resume_token = second.resume_token
    nothing = register.ask("QueryStatisticsChanges", request, REGULATOR)
    assert (len(nothing.cells), nothing.resume_token) == (0, second.resume_token)
    register.receive((number(1), "D"))
    register.settle()
    (changed,) = register.ask("QueryStatisticsChanges", request, REGULATOR).cells
    assert (changed.trade_mode, changed.declarations, changed.value.minor_units) == ("0110", 0, 0)
    made_up = [json.dumps(place).encode() for place in ([10**20, *[""] * 6], [1, "\0", *[""] * 5])]
    for token in ("x", "WzEsMl0=", "e30=", *(base64.urlsafe_b64encode(place).decode() for place in made_up)):
        with pytest.raises(InvalidPageToken):
            register.ask(
                "QueryStatisticsChanges", insight_pb2.QueryStatisticsChangesRequest(resume_token=token), REGULATOR
            )


def declared(register: Register, caller: Caller = WINDOW, **fields: Any) -> list[str]:
    """Sequence numbers of the declarations that a filter lists."""
    request = declarations_pb2.ListDeclarationsRequest(filter=insight_pb2.DeclarationFilter(**fields))
    answer = register.ask("ListDeclarations", request, caller)
    return [str(int(declaration.declaration_number[9:])) for declaration in answer.declarations]


def test_lists_by_filter(register: Register) -> None:
    register.declare(
        row(1, goods(cents=10), day="2026-01-31", trade_mode="9710"),
        row(2, goods(cents=20), day="2026-02-01", destination_country="DEU"),
        row(3, goods("8541100000", cents=30), day="2026-03-01", enterprise=ENTERPRISES[1]),
        row(4, direction=1),
    )
    register.receive((number(1), "P"))
    assert declared(register, trade_modes=["9710", "1039"]) == ["1"]
    assert declared(register, destination_countries=["DEU"]) == ["2"]
    assert declared(register, chapters=["85"]) == ["3"]
    assert declared(register, statuses=["RELEASED"]) == ["1"]
    assert declared(register, direction=retail_pb2.IMPORT) == ["4"]
    assert declared(register, direction=retail_pb2.EXPORT) == ["3", "2", "1"]
    assert declared(register, enterprise=ENTERPRISES[1]) == ["3"]
    assert declared(register, number_prefix=number(2)[:18]) == ["2"]
    first, last = date_pb2.Date(year=2026, month=2, day=1), date_pb2.Date(year=2026, month=3, day=1)
    assert declared(register, from_date=first, to_date=last) == ["3", "2"]
    assert declared(register, least_value=to_proto(Money("USD", 200)), most_value=to_proto(Money("USD", 300))) == [
        "3",
        "2",
    ]
    assert declared(register, least_value=to_proto(Money("EUR", 1))) == []
    assert declared(register, EXPORTER, enterprise=ENTERPRISES[1]) == []
    assert declared(register, EXPORTER, trade_modes=["0110"]) == ["4", "2"]


def test_lists_by_what_people_search_for(register: Register) -> None:
    register.declare(
        row(1, contract_number="HT-2026/001", buyer_name="Müller Perücken GmbH"),
        row(2, goods("6704110000"), invoice_number="inv%9_1", bill_number="COSU6123456789"),
        row(3, goods("8541100000"), enterprise=ENTERPRISES[1], contract_number="HT-2026/001"),
        row(4, goods("6704190000", cents=1), goods("8541000000", cents=2)),
    )
    assert declared(register, EXPORTER, search_text="ht-2026") == ["1"]
    assert declared(register, EXPORTER, search_text="müller per") == ["1"]
    assert declared(register, EXPORTER, search_text="V%9_") == ["2"]
    assert declared(register, EXPORTER, search_text="%9%") == []
    assert declared(register, EXPORTER, search_text="cosu612345") == ["2"]
    assert declared(register, EXPORTER, search_text="\0\0\0") == []
    assert declared(register, enterprise=ENTERPRISES[1], search_text="HT-2026/001") == ["3"]
    assert declared(register, EXPORTER, commodity_prefixes=["670411", "8541"]) == ["4", "2"]
    assert declared(register, chapters=["67"]) == ["2", "1"]
    assert declared(register, chapters=["85"], commodity_prefixes=["8541100000"]) == ["3"]
    assert declared(register, search_text="HT-2026") == ["3", "1"]
    assert declared(register, BANK, search_text="HT-2026") == []
    # An amendment is found by what it says, and as of then by what was said then.
    register.now_us += DAY_US
    register.amend(row(1, goods("8541100000"), contract_number="HT-2027"))
    assert declared(register, EXPORTER, search_text="HT-2026") == []
    request = declarations_pb2.ListDeclarationsRequest(
        filter=insight_pb2.DeclarationFilter(search_text="HT-2026", commodity_prefixes=["6704"])
    )
    request.as_of.FromMicroseconds(register.now_us - 1)
    (found,) = register.ask("ListDeclarations", request, EXPORTER).declarations
    assert (found.declaration_number, found.contract_number) == (number(1), "HT-2026/001")


def test_what_is_no_filter_is_told_all_at_once(register: Register) -> None:
    nowhere = date_pb2.Date(year=2026, month=2, day=30)
    with pytest.raises(InvalidFields) as refused:
        declared(register, from_date=nowhere, to_date=nowhere, statuses=["CLOSED", "GONE"])
    paths = [problem.path for problem in refused.value.problems]
    assert paths == ["filter.from_date", "filter.to_date", "filter.statuses[1]"]


def test_a_saved_filter_is_the_tenants_own(register: Register) -> None:
    register.declare(row(1, trade_mode="9710"), row(2), row(3, trade_mode="9710", destination_country="DEU"))
    wanted = insight_pb2.SavedFilter(title="B2B", filter=insight_pb2.DeclarationFilter(trade_modes=["9710"]))
    saved = register.ask("CreateSavedFilter", insight_pb2.CreateSavedFilterRequest(saved_filter=wanted), EXPORTER)
    (listed,) = register.ask("ListSavedFilters", insight_pb2.ListSavedFiltersRequest(), EXPORTER).saved_filters
    assert (listed.name, listed.title, listed.filter.trade_modes) == (saved.name, "B2B", ["9710"])
    assert not register.ask("ListSavedFilters", insight_pb2.ListSavedFiltersRequest(), RIVAL).saved_filters
    request = declarations_pb2.ListDeclarationsRequest(saved_filter=saved.name)
    assert len(register.ask("ListDeclarations", request, EXPORTER).declarations) == 2
    request.filter.destination_countries.append("DEU")
    assert len(register.ask("ListDeclarations", request, EXPORTER).declarations) == 1
    for caller, method, of_others in (
        (RIVAL, "ListDeclarations", request),
        (RIVAL, "DeleteSavedFilter", insight_pb2.DeleteSavedFilterRequest(name=saved.name)),
    ):
        with pytest.raises(NotFound):
            register.ask(method, of_others, caller)
    register.ask("DeleteSavedFilter", insight_pb2.DeleteSavedFilterRequest(name=saved.name), EXPORTER)
    with pytest.raises(NotFound):
        register.ask("ListDeclarations", request, EXPORTER)


def test_a_list_as_of_a_time_knows_what_was_known(register: Register) -> None:
    register.declare(row(1, goods(cents=10)))
    register.now_us += DAY_US
    then_us = register.now_us - 1
    register.amend(row(1, goods(cents=20)))
    register.receive((number(1), "P"))
    register.declare(row(2))
    request = declarations_pb2.ListDeclarationsRequest()
    request.as_of.FromMicroseconds(then_us)
    (before,) = register.ask("ListDeclarations", request, WINDOW).declarations
    assert (before.declared_value.minor_units, before.version) == (100, 1)
    assert before.status == declarations_pb2.Declaration.DECLARED
    request.as_of.FromMicroseconds(register.now_us)
    _, now = register.ask("ListDeclarations", request, WINDOW).declarations
    assert (now.declared_value.minor_units, now.version) == (200, 2)
    assert now.status == declarations_pb2.Declaration.RELEASED


MONEY = {"least_value": to_proto(Money("USD", 300)), "most_value": to_proto(Money("USD", 700))}
DAYS = {"from_date": date_pb2.Date(year=2026, month=3, day=1), "to_date": date_pb2.Date(year=2026, month=8, day=1)}
FILTERS: list[dict[str, Any]] = [
    {},
    {"trade_modes": ["9710"]},
    {"destination_countries": ["DEU"], "chapters": ["67"]},
    {"statuses": ["DECLARED", "CLOSED"]},
    {"statuses": ["RELEASED"], "trade_modes": ["0110"]},
    MONEY,
    DAYS,
    {**DAYS, "statuses": ["REJECTED", "DECLARED"], "enterprise": ENTERPRISES[0]},
]


def answers(register: Register, at_us: int | None) -> list[list[tuple[Any, ...]]]:
    """Returns what lists by each filter show to each caller, page by page, now or as of a time."""
    found = []
    for caller in (WINDOW, EXPORTER, BANK):
        for wanted in FILTERS:
            request = declarations_pb2.ListDeclarationsRequest(page_size=2)
            request.filter.CopyFrom(insight_pb2.DeclarationFilter(**wanted))
            if at_us is not None:
                request.as_of.FromMicroseconds(at_us)
            seen = []
            while True:
                page = register.ask("ListDeclarations", request, caller)
                seen += [
                    (
                        declaration.declaration_number,
                        declaration.status,
                        declaration.declared_value.minor_units,
                        declaration.version,
                        declaration.trade_mode,
                    )
                    for declaration in page.declarations
                ]
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            found.append(seen)
    return found


def test_lists_as_of_a_time_pick_what_they_picked_then(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows a page looks at."""
    monkeypatch.setattr(paging, "MOST_LOOKED_AT", 3)
    consent(register)
    random, told = Random(11), {}
    for step in range(1, 25):
        changed = row(
            1 + step % 6,
            goods(random.choice(["6704200000", "8541100000"]), cents=random.randint(1, 100)),
            day=f"2026-{random.randint(1, 9):02}-01",
            enterprise=ENTERPRISES[step % 2],
            trade_mode=random.choice(["0110", "9710"]),
            destination_country=random.choice(["USA", "DEU"]),
        )
        if step <= 6:
            register.declare(changed)
        elif step % 3:
            register.amend(changed)
        register.receive((number(1 + random.randint(0, 7)), random.choice(["L", "P", "R", "E", "C"])))
        if step % 4 == 0:
            told[register.now_us] = answers(register, None)
        register.now_us += 60 * MICROSECONDS
    assert sum(map(len, told[max(told)])) > 20
    for at_us, then in told.items():
        assert answers(register, at_us + 1) == then
    assert not any(answers(register, NOW_US - 1))


def exported(register: Register, caller: Caller, page_size: int = 0, **fields: Any) -> list[dict[str, str]]:
    """The rows of the CSV file that the pages make."""
    request = insight_pb2.ExportDeclarationsRequest(
        format=insight_pb2.ExportDeclarationsRequest.CSV,
        page_size=page_size,
        filter=insight_pb2.DeclarationFilter(**fields),
    )
    content = b""
    while True:
        page = register.ask("ExportDeclarations", request, caller)
        content += page.csv
        if not page.next_page_token:
            return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        request.page_token = page.next_page_token


def test_an_export_has_a_row_for_each_line_and_no_formulas(register: Register) -> None:
    evil = goods(cents=1)
    evil.goods_name = '=HYPERLINK("x"),\n"quoted"'
    register.declare(row(1, evil, goods("8541100000", "3")), row(2, buyer_name="@SUM(A1)"), row(3))
    register.declare(row(4, enterprise=ENTERPRISES[1]))
    rows = exported(register, EXPORTER, page_size=1)
    assert [entry["declaration_number"] for entry in rows] == [number(index) for index in (3, 2, 1, 1)]
    assert rows[1]["buyer_name"] == "'@SUM(A1)"
    assert rows[2]["goods_name"] == "'" + evil.goods_name
    assert (rows[3]["quantity"], rows[3]["total"], rows[3]["declared_value"]) == ("3", "300.00", "300.10")
    assert (rows[3]["export_date"], rows[3]["status"], rows[3]["currency"]) == ("2026-11-02", "DECLARED", "USD")
    assert rows == exported(register, EXPORTER)
    assert exported(register, BANK) == []
    assert len(exported(register, WINDOW, enterprise=ENTERPRISES[1])) == 1


def findings(register: Register, caller: Caller = REGULATOR, **fields: Any) -> list[Any]:
    """Returns the findings that a caller sees."""
    request = insight_pb2.ListTradeFindingsRequest(**fields)
    return list(register.ask("ListTradeFindings", request, caller).trade_findings)


# Enough for a norm.
SELLERS = [f"enterprises/{code}" for code in enterprises(8)]


def normal_prices(register: Register) -> None:
    """Forty declarations of eight sellers from 90.00 to 109.50 a piece, and the norm they give."""
    prices = [90_00 + index * 50 for index in range(41)]
    register.declare(*(row(index, goods(cents=prices[index]), enterprise=SELLERS[index % 8]) for index in range(1, 41)))
    register.settle()


def test_a_norm_tells_no_sellers_prices_to_another(register: Register) -> None:
    """However many prices there are: of a few sellers they make no norm."""
    rows = [row(index, goods(cents=90_00 + index), enterprise=SELLERS[index % 4]) for index in range(1, 61)]
    register.declare(*rows)
    register.settle()
    assert not register.rows(sa.select(price_norms))
    register.declare(row(61, enterprise=SELLERS[4]), row(62, enterprise=SELLERS[5]))
    register.now_us += DAY_US
    register.settle()
    assert {entry.observations for entry in register.rows(sa.select(price_norms))} == {62}


def test_prices_far_from_the_norm_are_found_with_bound_and_norm(register: Register) -> None:
    normal_prices(register)
    norms = {entry.commodity_code: entry for entry in register.rows(sa.select(price_norms))}
    assert sorted(map(len, norms)) == sorted(LEVELS)
    assert {(norm.observations, norm.version) for norm in norms.values()} == {(40, 1)}
    assert not findings(register)
    # Beyond three times the upper and under a third of the lower quartile; its neighbour has no norm of its own.
    register.declare(row(50, goods(cents=500_00), goods()), row(51, goods("6704200099", cents=20_00)), row(52))
    register.settle()
    below, above = findings(register)
    assert (above.code, above.declaration, above.line_number) == (
        "UNIT_PRICE_ABOVE_NORM",
        f"declarations/{number(50)}",
        1,
    )
    assert "500 USD" in above.explanation
    assert "6704200000" in above.explanation
    assert "版" in above.explanation_chinese
    assert below.code == "UNIT_PRICE_BELOW_NORM"
    assert "67042000 " in below.explanation
    # An amendment is judged anew.
    register.amend(row(50, goods(cents=100_00)))
    register.settle()
    assert [finding.declaration for finding in findings(register)] == [f"declarations/{number(51)}"]


def test_mass_is_compared_in_kilograms(register: Register) -> None:
    sold = [goods(unit="035", quantity="5", cents=10_00 + index) for index in range(41)]
    register.declare(*(row(index, sold[index], enterprise=SELLERS[index % 8]) for index in range(1, 41)))
    register.settle()
    # 10.00 a gram is 10,000.00 a kilogram; 10,000.00 a tonne is 10.00 a kilogram.
    register.declare(row(50, goods(unit="036", cents=10_00)), row(51, goods(unit="070", cents=10_000_00)))
    register.settle()
    (found,) = findings(register)
    assert (found.code, found.declaration) == ("VALUE_PER_KILOGRAM_ABOVE_NORM", f"declarations/{number(50)}")
    assert "10000 USD a kilogram" in found.explanation


def test_reference_records_seed_norms_of_value_by_weight(register: Register) -> None:
    request = declarations_pb2.BatchCreateReferenceRecordsRequest()
    for index in range(45):
        record = request.reference_records.add(
            source="test", key=str(index), commodity_code="670420" if index % 2 else "6704201234"
        )
        record.record_date.CopyFrom(date_pb2.Date(year=2020, month=1, day=1))
        record.value.CopyFrom(to_proto(Money("USD", 50_00 + index)))
        record.net_weight_kilograms.value = "5" if index < 40 else ""
    register.ask("BatchCreateReferenceRecords", request)
    register.settle()
    assert not register.rows(sa.select(price_norms))
    # Only what has surely arrived is counted.
    register.now_us += DAY_US
    register.settle()
    (norm,) = register.rows(sa.select(price_norms))
    assert (norm.id, norm.observations) == ("670420/035/USD", 40)
    register.declare(row(1, goods(unit="035", quantity="1", cents=50_00)), row(2, goods(unit="035", cents=10_00)))
    register.now_us += DAY_US
    register.settle()
    assert [finding.declaration for finding in findings(register)] == [f"declarations/{number(1)}"]
    counts = [entry.observations for entry in register.rows(sa.select(price_norms))]
    assert counts == [40]


def test_routes_and_parties(register: Register) -> None:
    register.declare(
        row(1, transport_mode="3", destination_country="USA"),
        row(2, transport_mode="3", destination_country="DEU"),
        row(3, buyer_name="Zhengzhou  Wigs, Ltd.", enterprise_name="ZHENGZHOU WIGS LTD"),
        row(4, buyer_name="ＡＣＭＥ Inc"),
        row(5, buyer_name="Acme, Inc.", direction=1),
    )
    register.settle()
    found = {finding.code: finding for finding in findings(register)}
    assert found.keys() == {"ROUTE_IMPLAUSIBLE", "PARTY_IS_ENTERPRISE", "CIRCULAR_PARTY"}
    assert found["ROUTE_IMPLAUSIBLE"].declaration == f"declarations/{number(1)}"
    assert "Rail" in found["ROUTE_IMPLAUSIBLE"].explanation
    assert found["PARTY_IS_ENTERPRISE"].declaration == f"declarations/{number(3)}"
    assert found["CIRCULAR_PARTY"].declaration == ""
    assert "acme inc" in found["CIRCULAR_PARTY"].explanation


def test_findings_are_for_the_enterprise_the_regulator_and_with_consent(register: Register) -> None:
    register.declare(row(1, transport_mode="3"), row(2, transport_mode="4", enterprise=ENTERPRISES[1]))
    register.settle()
    assert len(findings(register)) == 2
    assert [finding.enterprise for finding in findings(register, EXPORTER)] == [ENTERPRISES[0]]
    assert findings(register, EXPORTER, enterprise=ENTERPRISES[1]) == []
    assert findings(register, BANK) == []
    consent(register)
    assert [finding.enterprise for finding in findings(register, BANK)] == [ENTERPRISES[0]]
    assert len(findings(register, declaration=f"declarations/{number(2)}")) == 1


def consent(register: Register, *purposes: Any) -> None:
    """The exporter lets the bank see."""
    given = declarations_pb2.Consent(institution=BANK.tenant, purpose="risk", purposes=purposes)
    given.expire_time.FromMicroseconds(register.now_us + DAY_US)
    register.ask("CreateConsent", declarations_pb2.CreateConsentRequest(consent=given), EXPORTER)


def portrait(register: Register, caller: Caller = EXPORTER) -> Any:
    """The first enterprise's."""
    request = insight_pb2.GetRiskPortraitRequest(name=f"{ENTERPRISES[0]}/riskPortrait")
    return register.ask("GetRiskPortrait", request, caller)


def test_a_portrait_explains_each_factor(register: Register) -> None:
    register.declare(*(row(index, day=f"2026-{index:02}-15") for index in range(1, 9)))
    register.declare(row(9, day="2025-06-01", buyer_name="Other"), row(10, buyer_name="Other", trade_mode="4561"))
    register.receive((number(1), "C"), (number(2), "E"), (number(3), "D"))
    register.settle()
    found = portrait(register)
    factors = {factor.code: factor for factor in found.factors}
    values = {code: factor.value.value if factor.HasField("value") else None for code, factor in factors.items()}
    assert values == {
        "HISTORY_MONTHS": "17",
        "DECLARATIONS_PER_YEAR": "7",
        "VALUE_GROWTH": "6.0000",
        "REJECTED_SHARE": "0.1000",
        "DELETED_SHARE": "0.1000",
        "AMENDED_SHARE": "0.0000",
        "HELD_SHARE": "0.1000",
        "PRICE_DEVIATION_SHARE": "0.0000",
        "BREACHES": "0",
        "BUYER_CONCENTRATION": "0.8571",
        "COUNTRY_CONCENTRATION": "1.0000",
        "RETURNED_SHARE": "0.1250",
        "NOT_FINANCEABLE_SHARE": "0.1250",
        "CIRCULAR_PARTIES": "0",
    }
    points = {code: factor.points for code, factor in factors.items() if factor.points}
    assert points == {
        "HISTORY_MONTHS": 3,
        "DECLARATIONS_PER_YEAR": 5,
        "VALUE_GROWTH": 5,
        "REJECTED_SHARE": 10,
        "DELETED_SHARE": 10,
        "HELD_SHARE": 2,
        "BUYER_CONCENTRATION": 10,
        "COUNTRY_CONCENTRATION": 5,
        "RETURNED_SHARE": 5,
    }
    assert (found.score, found.score_max) == (sum(points.values()), 100)
    assert [entry.name for entry in factors["BUYER_CONCENTRATION"].evidence] == ["acme", "other"]
    assert factors["BUYER_CONCENTRATION"].evidence[0].value.minor_units == 6 * 1000_00
    assert factors["REJECTED_SHARE"].explanation_chinese == "被海关退单的申报占比 0.1。"
    assert json.loads(found.inputs_json)["declarations"] == 10


def test_a_portrait_grows_with_the_data_but_not_at_once(register: Register) -> None:
    register.declare(row(1))
    register.settle()
    first = portrait(register)
    assert first.revision == 1
    register.declare(row(2))
    register.settle()
    assert portrait(register) == first
    register.now_us += 900 * MICROSECONDS
    register.settle()
    second = portrait(register)
    assert (second.revision, second.assess_time.ToMicroseconds()) == (2, NOW_US + 900 * MICROSECONDS)
    assert json.loads(second.inputs_json)["declarations"] == 2
    register.now_us += DAY_US
    register.settle()
    assert portrait(register).revision == 2


def test_a_portraits_score_follows_from_its_stored_inputs_and_day(register: Register) -> None:
    """S2: each read computes the factors again from the stored inputs and day, and they come to the stored score."""
    register.declare(*(row(index, day=f"2026-{index:02}-15") for index in range(1, 9)))
    register.receive((number(2), "E"), (number(3), "D"))
    register.settle()
    before = portrait(register)
    assert before.score == sum(factor.points for factor in before.factors) > 0
    inputs = {**json.loads(before.inputs_json), "amendments": 8, "holds": 0}
    changes = {"inputs": json.dumps(inputs), "assess_date": "2026-12-31"}
    with register.store.write() as connection:
        connection.execute(sa.update(portrait_store.risk_portraits).values(changes))
    after = portrait(register)
    given = records.from_json(Inputs, inputs)
    expected = {factor.code: factor.points for factor in assess(given, datetime.date(2026, 12, 31)).factors}
    assert {factor.code: factor.points for factor in after.factors} == expected
    assert expected["AMENDED_SHARE"] > 0


def test_a_portrait_is_for_the_enterprise_the_regulator_and_with_consent(register: Register) -> None:
    register.declare(row(1), row(2, enterprise=ENTERPRISES[1]))
    register.settle()
    with pytest.raises(NotFound):
        portrait(register, RIVAL)
    consent(register, "FINANCING")
    with pytest.raises(ConsentMissing):
        portrait(register, BANK)
    assert findings(register, BANK) == []
    consent(register)
    assert portrait(register, BANK) == portrait(register, REGULATOR) == portrait(register)


def test_lists_go_by_day_and_number_page_by_page(register: Register) -> None:
    register.declare(
        *(row(index, day=f"2026-0{1 + index % 3}-01", enterprise=ENTERPRISES[index % 2]) for index in range(1, 8))
    )
    request = declarations_pb2.ListDeclarationsRequest(page_size=2)
    seen = []
    while True:
        page = register.ask("ListDeclarations", request, WINDOW)
        seen += [
            (declaration.export_date.month, int(declaration.declaration_number[9:]))
            for declaration in page.declarations
        ]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [(3, 5), (3, 2), (2, 7), (2, 4), (2, 1), (1, 6), (1, 3)]
