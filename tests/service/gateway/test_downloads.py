"""Files for browsers: the caller's own declarations, filtered, whole."""

import csv
import io

from tests.gateway_world import World, declare

NUMBERS = [f"46012026000008{index:04}" for index in range(3)]


async def test_a_download_has_the_callers_own_declarations(world: World) -> None:
    for name in NUMBERS:
        await declare(world, name)
    async with world.signed_in() as client:
        # A page for each declaration.
        parameters = {"filter.number_prefix": NUMBERS[0][:14], "page_size": "1", "bom": "true"}
        answer = await client.get("/downloads/declarations.csv", params=parameters)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert answer.headers["content-disposition"] == 'attachment; filename="declarations.csv"'
        assert answer.content.startswith(b"\xef\xbb\xbfdeclaration_number,")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert [row["declaration_number"] for row in rows if row["line_number"] == "1"] == NUMBERS[::-1]
    async with world.signed_in("other.wang") as client:
        answer = await client.get("/downloads/declarations.csv", params={"filter.number_prefix": NUMBERS[0][:14]})
        assert answer.text.count("\r\n") == 1


async def test_a_download_is_refused_before_it_begins(world: World) -> None:
    async with world.signed_in() as client:
        answer = await client.get("/downloads/declarations.csv", params={"filter.statuses": "GONE"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_FIELDS")
        answer = await client.get("/downloads/declarations.csv", params={"nothing": "1"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_FIELDS")
    async with world.browser() as client:
        answer = await client.get("/downloads/declarations.csv")
        assert (answer.status_code, answer.json()["reason"]) == (401, "NOT_SIGNED_IN")
