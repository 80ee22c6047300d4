"""The bill of materials: every locked package, in a form that CycloneDX's schema takes."""

import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text() -> str:
    """The bill as the command writes it."""
    subprocess.run([sys.executable, "-W", "error", str(ROOT / "scripts" / "make_sbom.py")], check=True)
    return (ROOT / "build" / "sbom.cdx.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bill(text: str) -> Any:
    return json.loads(text)


def component(bill: Any, name: str) -> Any:
    (found,) = [component for component in bill["components"] if component["name"] == name]
    return found


def test_it_is_valid(text: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"library"', '"book"')) is not None


def test_every_locked_package_is_named(bill: Any) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.M))
    assert len(locked) == len(re.findall(r"^[^ ]", lock, re.M))
    assert {component["name"]: component["version"] for component in bill["components"]} == locked
    purls = {component["purl"] for component in bill["components"]}
    assert purls == {f"pkg:pypi/{name}@{version}" for name, version in locked.items()}
    hashes = [hash_["content"] for component in bill["components"] for hash_ in component["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))


def test_what_runs_is_told_from_what_tests(bill: Any) -> None:
    scopes = {
        name: component(bill, name)["scope"] for name in ("grpcio", "psycopg-binary", "mako", "pytest", "iniconfig")
    }
    assert scopes == {
        "grpcio": "required",
        "psycopg-binary": "required",
        "mako": "required",
        "pytest": "optional",
        "iniconfig": "optional",
    }


def test_licences_and_dependencies_are_told(bill: Any) -> None:
    assert component(bill, "alembic")["licenses"] == [{"license": {"id": "MIT"}}]
    assert bill["metadata"]["component"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    needs = {node["ref"]: node.get("dependsOn", []) for node in bill["dependencies"]}
    assert component(bill, "mako")["bom-ref"] in needs[component(bill, "alembic")["bom-ref"]]
    assert component(bill, "grpcio")["bom-ref"] in needs["aval"]
    assert component(bill, "pytest")["bom-ref"] not in needs["aval"]
