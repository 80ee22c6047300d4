"""64 institutions, one declaration: nothing is financed twice, whatever is amended, expires or is killed.

The short form of `python -m tests.races`, which tries 100,000 times on each database.
"""

import pytest

from services.declarations.register.breach import lifecycle as breach_lifecycle
from services.declarations.register.encumbrance import model as encumbrance_model
from tests import race_load, races
from tests.service.register_world import INSURER, VALUE, World, institution

ATTEMPTS = 1250


@pytest.mark.parametrize("mode", races.MODES)
def test_a_race_of_64_institutions(database_url: str, mode: str) -> None:
    """I1, I2, I5, I6, I7, R1, R2: each holds after every commit of processes of their own, one of which is killed."""
    database = "sqlite" if database_url.startswith("sqlite") else "postgresql"
    result = races.race(database_url, database, mode, ATTEMPTS, 1, 1, lambda _told: None)
    assert result.violations == []
    assert result.attempts >= ATTEMPTS
    assert result.kills == 1
    for what in ("ReserveEncumbrance OK", "ReserveEncumbrance VALUE_ENCUMBERED", "ConfirmEncumbrance OK"):
        assert result.counted[what] > 0, result.counted
    for what in ("ReleaseEncumbrance OK", "BatchCreateDeclarations OK", "Expire OK"):
        assert result.counted[what] > 0, result.counted
    assert not [what for what in result.counted if " failed" in what]


BROKEN = {
    "I6": (encumbrance_model, "barring", lambda *_, **__: []),
    "I7": (breach_lifecycle, "fall_short", lambda *_: None),
}


@pytest.mark.parametrize("invariant", BROKEN)
def test_a_broken_rule_is_found(database_url: str, invariant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """I6, I7: a race with the rule taken out names it; a race that can't fail proves nothing."""
    world = World(database_url)
    world.consent(*race_load.INSTITUTIONS, INSURER)
    asset = world.declared()
    world.finance(asset, VALUE // 2, institution(race_load.INSTITUTIONS[0]))
    monkeypatch.setattr(race_load, "ASSET", asset)
    race = race_load.Race(database_url, "exclusive", 3, asset)
    module, name, broken = BROKEN[invariant]
    with monkeypatch.context() as patched:
        patched.setattr(module, name, broken)
        race.run([race.amendment(VALUE // 10)])
        for _ in range(5):
            race.round()
    assert invariant in {violation.partition(":")[0] for violation in race.store.violations}
    race.store.close()
    world.store.close()
