"""The division of a payment over declarations, and of each part over lenders. Pure rules with amounts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chassis.money import Money, allocate, total


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a payment that pays a declaration, a resource name.

    `owed` is what the buyer owed on it when it was matched, `amount` its part once the payment is divided;
    `is_applied` and `is_released`: whether the register and the insurer have counted it.
    """

    declaration: str
    owed: Money | None = None
    amount: Money | None = None
    is_applied: bool = False
    is_released: bool = False


@dataclass(frozen=True, slots=True)
class SettledAsset:
    """The amount of an encumbrance that a payment settled on an asset: a declaration, or a sale of its goods."""

    declaration: str
    asset: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Collection:
    """The settlement of an encumbrance by a payment, and what its holder takes of it for the loan that it secures.

    `settled_total` is what all payments have settled of it. `amount` (interest and principal) is None until the lender
    has fixed it, and stays so where others left nothing; zero where it refused. `unsecured` is the principal that is
    owed though it was settled, because the lender took interest first; `restored` what of it the register put back,
    once it has answered. `reference` is opaque: it stands for lender and loan where these aren't told.
    """

    encumbrance: str
    loan: str
    bank: str
    reference: str
    repayment_id: str
    assets: tuple[SettledAsset, ...]
    settled_total: Money
    amount: Money | None = None
    interest: Money | None = None
    unsecured: Money | None = None
    restored: Money | None = None
    refusal: str = ""
    is_confirmed: bool = False
    is_restored: bool = False

    @property
    def settled(self) -> Money:
        """How much of the encumbrance the payment settled."""
        return total([asset.amount for asset in self.assets], self.settled_total.currency)

    @property
    def principal(self) -> Money:
        """The part that isn't interest."""
        assert self.amount is not None
        assert self.interest is not None
        return self.amount - self.interest

    @property
    def declarations(self) -> frozenset[str]:
        """The declarations whose parts settled it."""
        return frozenset(asset.declaration for asset in self.assets)

    @property
    def awaits_confirmation(self) -> bool:
        """Whether the lender has yet to book what it fixed."""
        return bool(self.amount) and not self.is_confirmed

    @property
    def awaits_restoration(self) -> bool:
        """Whether the register has yet to put back what was settled and then taken as interest."""
        return bool(self.to_restore) and not self.is_restored

    @property
    def to_restore(self) -> Money:
        """The amount that the encumbrance shall hold again: of this payment's settlement what repaid no principal."""
        return min(self.unsecured or self.settled.zero(), self.settled)


def divided(amount: Money, owed: Sequence[Money]) -> list[Money]:
    """Returns what of an amount pays each of several debts, in their order.

    Each gets what it is owed where there is enough, and what is beyond all of them goes to the last; otherwise each
    gets its share. 200.00 of debts 100.00 and 100.00: 100.00 each. 90.00 of 100.00 and 50.00: 60.00 and 30.00. 170.00
    of 100.00 and 50.00: 100.00 and 70.00.
    """
    excess = amount - total(owed, amount.currency)
    if excess >= amount.zero():
        return [*owed[:-1], owed[-1] + excess]
    return allocate(amount, [debt.minor_units for debt in owed])


def collectable(
    amount: Money, parts: Iterable[Part], collections: Sequence[Collection], collection: Collection
) -> Money:
    """Returns the most a lender may take of a payment: of the parts that settled its encumbrance what others leave.

    Its interest comes on top of the principal. What was settled of the others is theirs, whatever they take: of a part
    of 100.00 of which 30.00 settled this encumbrance and 40.00 another's, at most 60.00.
    """
    zero, mine = amount.zero(), collection.declarations
    others = [other for other in collections if other.encumbrance != collection.encumbrance]
    pool = total([part.amount for part in parts if part.amount and part.declaration in mine], amount.currency)
    here = pool - total([_taken_of(other, mine) for other in others], amount.currency)
    # Two lenders may share a part and not another: each is sure of what was settled of its encumbrance.
    left = amount - total([zero if other.amount is None else other.amount for other in others], amount.currency)
    left -= total([other.settled for other in others if other.amount is None], amount.currency)
    return min(left, max(here, collection.settled))


def _taken_of(collection: Collection, declarations: frozenset[str]) -> Money:
    """Returns what a collection takes of these declarations' parts: at most all it took beyond what others settled."""
    zero = collection.settled_total.zero()
    here = total([asset.amount for asset in collection.assets if asset.declaration in declarations], zero.currency)
    if collection.amount is None or not collection.declarations & declarations:
        return here
    return max(collection.amount - (collection.settled - here), zero)
