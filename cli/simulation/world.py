"""`aval simulate`: one seed, so many steps, every invariant; at the end the network heals and all comes to rest."""

from collections.abc import Callable
from typing import Any

from cli.simulation import actors, invariants
from cli.simulation.network import Network
from cli.stores import SERVICES

FULL_CHECK_EVERY = 2_000
PROGRESS_EVERY = 500
MOST_STEPS_TO_REST = 200_000
MOST_VIOLATIONS = 20


def simulate(seed: int, steps: int, progress: Callable[[int], None]) -> dict[str, Any]:
    """Plays so many steps of a seed and returns the report.

    {"ok","seed","steps","commits","crashes","outcomes","violations":[{"step","invariant","detail"}]}
    """
    run = _Run(seed)
    for step in range(steps):
        run.step()
        if step % PROGRESS_EVERY == 0:
            progress(step)
        if step % FULL_CHECK_EVERY == FULL_CHECK_EVERY - 1:
            run.check_services()
        if len(run.violations) >= MOST_VIOLATIONS:
            return run.report()
    run.come_to_rest()
    return run.report()


class _Run:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.network = Network(seed, SERVICES)
        self.stage = actors.Stage(self.network)
        self.violations: list[dict[str, Any]] = []
        self._register = invariants.Register(self.network)
        self._prepare()
        self.network.committed = self._committed
        self.stage.start(actors.merchant(self.stage))

    def _prepare(self) -> None:
        """Makes the world on a network that still works."""
        self.network.is_reliable = True
        done: list[bool] = []

        def prepared() -> actors.Actor:
            yield from actors.prepare(self.stage)
            done.append(True)

        self.stage.start(prepared())
        while not done:
            self.network.step()
        self.network.is_reliable = False

    def step(self) -> None:
        self.network.step()

    def _committed(self, service: str) -> None:
        if service == "declarations":
            self._note(self._register.check())

    def check_services(self) -> None:
        """Checks each service by itself, and what they agree on while the platform runs."""
        self._check_each_service()
        self._note(list(invariants.under_way(self.network)))

    def _check_each_service(self) -> None:
        for node in self.network.nodes.values():
            self._note(list(invariants.of_service(node)))

    def _note(self, violations: list[tuple[str, str]]) -> None:
        for invariant, detail in violations:
            self.violations.append({"step": self.network.steps, "invariant": invariant, "detail": detail})

    def come_to_rest(self) -> None:
        """Ends new deals and heals the network: everything owed must be done."""
        self.network.is_reliable = True
        self.stage.is_closing = True
        for _ in range(MOST_STEPS_TO_REST):
            self.network.step()
            if self.network.steps % 200 == 0 and self.stage.acting == 0 and self.network.owes() == 0:
                break
        else:
            self._note([("X5", f"{self.network.owes()} events or tasks are still owed")])
        self._check_each_service()
        self._note(list(invariants.at_rest(self.network)))
        for state, count in invariants.loans_by_state(self.network).items():
            self.stage.outcomes[f"loan {state}"] = count

    def report(self) -> dict[str, Any]:
        network = self.network
        return {
            "ok": not self.violations,
            "seed": self.seed,
            "steps": network.steps,
            "commits": network.commits,
            "crashes": network.crashes,
            "outcomes": dict(sorted(self.stage.outcomes.items())),
            "violations": self.violations,
        }
