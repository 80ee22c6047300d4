"""Checks whether finance may use assets."""

from collections.abc import Iterable, Mapping, Sequence

from chassis.command import Transaction
from services.declarations.register import asset as register_asset
from services.declarations.register import errors as register_errors
from services.declarations.register.asset import Asset
from services.declarations.register.value import freezing


def check_eligible(
    transaction: Transaction,
    assets: Iterable[Asset],
    frozen: Mapping[str, Sequence[str]],
    *,
    needs: Sequence[str] = (register_asset.FINAL, register_asset.CONDITIONAL),
) -> None:
    """Checks that finance may use the assets: none is frozen, and the verdict of each is among `needs`.

    Raises ValueNotEligible, with all that holds the first other asset back.
    """
    for asset in assets:
        reasons = [*asset.reasons, *freezing.reasons(frozen.get(asset.name, ()))]
        if asset.verdict not in needs or asset.name in frozen:
            language = transaction.caller.language
            explanation = " ".join(reason.text(language) for reason in reasons)
            raise register_errors.ValueNotEligible(
                reasons, declaration=asset.name, explanation=explanation, status=asset.status
            )
