"""The changelog: what isn't released first, then dated versions, the newest of which is the package's."""

import datetime
import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parents[2]
HEADING = re.compile(r"(\d+)\.(\d+)\.(\d+) \((\d{4}-\d\d-\d\d)\)")


def test_versions_are_dated_and_the_newest_is_the_package_s() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings[0] == "Unreleased"
    matches = [HEADING.fullmatch(heading) for heading in headings[1:]]
    versions = [tuple(map(int, match.groups()[:3])) for match in matches if match]
    dates = [datetime.date.fromisoformat(match[4]) for match in matches if match]
    assert len(versions) == len(headings) - 1 > 0
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert ".".join(map(str, versions[0])) == project["version"]
