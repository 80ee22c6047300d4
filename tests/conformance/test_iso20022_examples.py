"""The pacs.008 of others, as the official schemas judge them: what is valid is read, or refused for what it says."""

import csv
import pathlib
from collections.abc import Mapping, Sequence

import pytest

from services.settlement.messages import pacs008

# Why a message that its schema takes is refused all the same: it contradicts its header, or it lacks what a
# credit to a customer needs (an account, an agent, a date), or nobody pays in what it calls a currency.
BUSINESS_REASONS = {
    "HEADER_DIFFERS",
    "MISSING_ELEMENT",
    "CURRENCY_UNKNOWN",
    "TRANSACTION_COUNT",
    "IBAN_INVALID",
    "BIC_INVALID",
}
READ_AT_LEAST = 17


@pytest.fixture(scope="module")
def verdicts(real_data: pathlib.Path) -> Mapping[str, bool]:
    """Returns for each file with a pacs.008 whether its schemas take it and its header."""
    folder = real_data / "iso20022"
    with (folder / "XSD_VERDICTS.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = {row["file"] for row in rows if ":pacs.008." in row["namespace"]}
    return {name: all(row["verdict"] == "VALID" for row in rows if row["file"] == name) for name in sorted(names)}


def test_our_verdict_is_the_schema_s(real_data: pathlib.Path, verdicts: Mapping[str, bool]) -> None:
    assert len(verdicts) > 50
    read, wrong = 0, []
    for name, is_valid in verdicts.items():
        transfer, problems = pacs008.parse((real_data / "iso20022" / name).read_bytes())
        read += transfer is not None
        if not _agrees(is_valid, transfer is not None, [problem.reason for problem in problems]):
            wrong.append((name, is_valid, problems))
    assert wrong == []
    assert read >= READ_AT_LEAST


def _agrees(is_valid: bool, is_read: bool, reasons: Sequence[str]) -> bool:
    if not is_valid:
        return not is_read
    return is_read or set(reasons) <= BUSINESS_REASONS


def test_a_code_of_gold_is_no_currency(real_data: pathlib.Path, verdicts: Mapping[str, bool]) -> None:
    """CBPR+ R41: no commodity currency."""
    names = [name for name in verdicts if "commodity_currency_XAU" in name]
    assert names
    for name in names:
        _, problems = pacs008.parse((real_data / "iso20022" / name).read_bytes())
        assert "CURRENCY_UNKNOWN" in {problem.reason for problem in problems}
