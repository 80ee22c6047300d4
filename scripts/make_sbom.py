"""Writes the bill of materials of all locked packages: build/sbom.cdx.json, CycloneDX 1.6.

Versions and hashes are those of requirements.lock; licences and dependencies are told by the packages installed here.
A package that Aval needs to run is required, one for tests and checks alone is optional.
"""

import pathlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
SBOM = ROOT / "build" / "sbom.cdx.json"
PINNED = re.compile(r"^(?P<name>[\w.-]+)(?:\[[\w,-]+\])?==(?P<version>[^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A locked package: its normal name, its version, and the hashes of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> PackageURL:
        """Returns the package's URL: pkg:pypi/alembic@1.20.1."""
        return PackageURL("pypi", name=self.name, version=self.version)


def locked(text: str) -> Iterator[Package]:
    r"""Reads the packages of a lock file, in its order.

    `psycopg[binary]==3.3.9 \` with a line `    --hash=sha256:…` for each file gives psycopg, 3.3.9 and the hashes.
    """
    for entry in re.split(r"^(?=\S)", text, flags=re.M):
        if pinned := PINNED.match(entry):
            name = canonicalize_name(pinned["name"])
            yield Package(name=name, version=pinned["version"], hashes=tuple(HASH.findall(entry)))


def component_of(package: Package, is_required: bool) -> Component:
    """Returns a package as a component, with its licence where it is installed."""
    component = Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(package.purl),
        purl=package.purl,
        scope=ComponentScope.REQUIRED if is_required else ComponentScope.OPTIONAL,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes],
    )
    if licence := licence_of(package.name):
        component.licenses.add(LicenseFactory().make_from_string(licence))
    return component


def licence_of(name: str) -> str:
    """Returns the licence that an installed package tells, as an expression or a name.

    Empty where it isn't installed.
    """
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    licence = told.get("License-Expression") or told.get("License") or ""
    # Some tell the whole text, which isn't a name.
    if licence and "\n" not in licence:
        return licence
    classifiers = told.get_all("Classifier") or []
    return next((line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")), "")


@dataclass(frozen=True)
class Need:
    """A package that another needs, with the extras that are asked of it: `psycopg[binary]`."""

    name: str
    extras: frozenset[str] = frozenset()


def needs_of(need: Need) -> set[Need]:
    """Returns the packages that an installed package needs on this machine; none where it isn't installed."""
    try:
        return applying(metadata.requires(need.name) or [], need.extras)
    except metadata.PackageNotFoundError:
        return set()


def applying(requirements: Iterable[str], extras: frozenset[str] = frozenset()) -> set[Need]:
    """Returns the requirements that apply on this machine.

    `uvloop>=0.21; sys_platform != 'win32'` applies but on Windows.
    """
    environments = [{"extra": extra} for extra in ("", *extras)]
    return {
        Need(canonicalize_name(requirement.name), frozenset(requirement.extras))
        for requirement in map(Requirement, requirements)
        if not requirement.marker or any(requirement.marker.evaluate(environment) for environment in environments)
    }


def closure(needs: set[Need]) -> set[Need]:
    """Returns the packages, and all that they need."""
    reached, ahead = set[Need](), needs
    while ahead:
        reached |= ahead
        ahead = {further for need in ahead for further in needs_of(need)} - reached
    return reached


def bill(packages: Sequence[Package], project: Mapping[str, Any]) -> Bom:
    """Returns the bill of materials of Aval and the packages."""
    needs = applying(project["dependencies"])
    reached = closure(needs)
    required = {need.name for need in reached}
    components = {package.name: component_of(package, package.name in required) for package in packages}
    root = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    bom = Bom(components=components.values())
    bom.metadata.component = root
    bom.register_dependency(root, among(components, needs))
    for name, component in components.items():
        extras = {extra for need in reached if need.name == name for extra in need.extras}
        bom.register_dependency(component, among(components, needs_of(Need(name, frozenset(extras)))))
    return bom


def among(components: Mapping[str, Component], needs: Iterable[Need]) -> list[Component]:
    """Returns the components of the needs that are locked."""
    return [components[need.name] for need in needs if need.name in components]


def main() -> None:
    """Writes the file and says where."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = list(locked(LOCK.read_text(encoding="utf-8")))
    SBOM.parent.mkdir(exist_ok=True)
    JsonV1Dot6(bill(packages, project)).output_to_file(str(SBOM), allow_overwrite=True, indent=2)
    print(f"{len(packages)} packages in {SBOM.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
