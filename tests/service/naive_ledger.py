"""The ledger once more, written to be obviously right: a list of what stands, and sums over it."""

from dataclasses import dataclass, field, replace

from ledger.model import Kind, Result, Transfer

REMEMBERED = {
    "DEBIT_ACCOUNT_NOT_FOUND", "CREDIT_ACCOUNT_NOT_FOUND", "PENDING_NOT_FOUND", "PENDING_ALREADY_POSTED",
    "PENDING_ALREADY_VOIDED", "PENDING_EXPIRED", "ALREADY_REVERSED", "BALANCE_OVERFLOWS", "EXCEEDS_CREDITS",
    "EXCEEDS_DEBITS", "ACCOUNT_CLOSED", "ACCOUNT_FROZEN", "ACCOUNT_NOT_FROZEN",
}  # fmt: skip
ENDS = {Kind.POST: "PENDING_ALREADY_POSTED", Kind.VOID: "PENDING_ALREADY_VOIDED", Kind.EXPIRE: "PENDING_EXPIRED"}
FLAGS = (Kind.FREEZE, Kind.UNFREEZE, Kind.CLOSE)
BOOKED = (Kind.POSTED, Kind.POST, Kind.REVERSAL)


@dataclass
class Place:
    """An account: where it belongs and which side must not exceed the other ("debits", "credits" or "")."""

    book: str
    currency: str
    limited: str = ""


@dataclass
class NaiveLedger:
    """The transfers that stand, when they were made, and what was refused for good."""

    places: dict[str, Place]
    standing: list[tuple[Transfer, int]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def find(self, identifier: str) -> Transfer | None:
        """A transfer that stands."""
        return next((t for t, _ in self.standing if t.id == identifier), None)

    def booked(self, account: str) -> tuple[int, int]:
        """Debits and credits."""
        booked = [t for t, _ in self.standing if t.kind in BOOKED]
        return self._sides(booked, account)

    def held(self, account: str) -> tuple[int, int]:
        """Debits and credits of holds that nothing has ended."""
        ended = {t.pending_id for t, _ in self.standing if t.kind in ENDS}
        return self._sides([t for t, _ in self.standing if t.kind is Kind.PENDING and t.id not in ended], account)

    def flag(self, account: str) -> int:
        """0 where money moves, 1 where the account is frozen, 2 where it is closed."""
        kinds = [t.kind for t, _ in self.standing if t.kind in FLAGS and t.debit_account == account]
        if Kind.CLOSE in kinds:
            return 2
        return int(kinds.count(Kind.FREEZE) > kinds.count(Kind.UNFREEZE))

    def _sides(self, transfers: list[Transfer], account: str) -> tuple[int, int]:
        debits = sum(t.amount for t in transfers if t.debit_account == account)
        return debits, sum(t.amount for t in transfers if t.credit_account == account)

    def apply(self, batch: list[Transfer], now_us: int) -> list[str]:
        """The results' names."""
        results: list[str] = []
        while batch:
            length = next((n for n, t in enumerate(batch, 1) if not t.linked), 0)
            if not length:
                return results + ["LINKED_TRANSFER_FAILED"] * (len(batch) - 1) + ["LINKED_CHAIN_OPEN"]
            results += self._chain(batch[:length], now_us)
            batch = batch[length:]
        return results

    def _chain(self, chain: list[Transfer], now_us: int) -> list[str]:
        before, results = list(self.standing), []
        for asked in chain:
            results.append(self._one(asked, now_us))
            if results[-1] not in ("OK", "EXISTS"):
                self.standing = before
                return self._refuse(chain, len(results) - 1, results[-1])
        return results

    def _refuse(self, chain: list[Transfer], culprit: int, reason: str) -> list[str]:
        answers = []
        for number, asked in enumerate(chain):
            answer = reason if number == culprit else "LINKED_TRANSFER_FAILED"
            answers.append(self.refused.get(asked.id, answer))
        if reason in REMEMBERED:
            for asked, answer in zip(chain, answers, strict=True):
                if not self.find(asked.id):
                    self.refused.setdefault(asked.id, answer)
        return answers

    def _one(self, asked: Transfer, now_us: int) -> str:
        if asked.id in self.refused:
            return self.refused[asked.id]
        whole, problems = self._whole(replace(asked, linked=False))
        if known := self.find(asked.id):
            return "EXISTS" if known == whole and not problems else "EXISTS_WITH_DIFFERENT_CONTENT"
        if not problems & {"PENDING_NOT_FOUND", "TRANSFER_NOT_PENDING", "TRANSFER_NOT_POSTED"}:
            problems |= self._problems(whole, now_us)
        if problems:
            return next(result.value for result in Result if result.value in problems)
        self.standing.append((whole, now_us))
        return "OK"

    def _whole(self, asked: Transfer) -> tuple[Transfer, set[str]]:
        """With what it takes from the transfer it refers to, and what is wrong about that."""
        if asked.kind in (Kind.POSTED, Kind.PENDING):
            return asked, set()
        if asked.kind in FLAGS:
            return replace(asked, credit_account=asked.credit_account or asked.debit_account), set()
        original = self.find(asked.pending_id)
        if original is None:
            return asked, {"PENDING_NOT_FOUND"}
        if asked.kind is Kind.REVERSAL:
            if original.kind not in (Kind.POSTED, Kind.POST):
                return asked, {"TRANSFER_NOT_POSTED"}
            sides = original.credit_account, original.debit_account
        else:
            if original.kind is not Kind.PENDING:
                return asked, {"TRANSFER_NOT_PENDING"}
            sides = original.debit_account, original.credit_account
        problems = set()
        if asked.debit_account not in ("", sides[0]) or asked.credit_account not in ("", sides[1]):
            problems.add("PENDING_HAS_OTHER_ACCOUNTS")
        amount = asked.amount or original.amount
        if amount > original.amount:
            problems.add("AMOUNT_EXCEEDS_PENDING")
        if amount != original.amount and asked.kind is not Kind.POST:
            problems.add("AMOUNT_DIFFERS")
        return replace(asked, debit_account=sides[0], credit_account=sides[1], amount=amount), problems

    def _problems(self, whole: Transfer, now_us: int) -> set[str]:
        if whole.kind in FLAGS:
            return self._flagging(whole)
        problems = set()
        debit, credit = self.places.get(whole.debit_account), self.places.get(whole.credit_account)
        if not 0 < whole.amount < 2**63:
            problems.add("AMOUNT_NOT_POSITIVE")
        if whole.debit_account == whole.credit_account:
            problems.add("ACCOUNTS_NOT_DIFFERENT")
        if debit is None:
            problems.add("DEBIT_ACCOUNT_NOT_FOUND")
        if credit is None:
            problems.add("CREDIT_ACCOUNT_NOT_FOUND")
        if debit and credit and (debit.book, debit.currency) != (credit.book, credit.currency):
            problems.add("ACCOUNTS_OF_DIFFERENT_BOOKS")
        if whole.kind in ENDS:
            return problems | self._ending(whole, now_us)
        if whole.kind is Kind.REVERSAL and any(
            t.kind is Kind.REVERSAL and t.pending_id == whole.pending_id for t, _ in self.standing
        ):
            problems.add("ALREADY_REVERSED")
        return problems | self._bearing(whole) | self._standing_still(whole)

    def _standing_still(self, whole: Transfer) -> set[str]:
        problems = set()
        if 2 in (self.flag(whole.debit_account), self.flag(whole.credit_account)):
            problems.add("ACCOUNT_CLOSED")
        if self.flag(whole.debit_account) == 1:
            problems.add("ACCOUNT_FROZEN")
        return problems

    def _flagging(self, whole: Transfer) -> set[str]:
        problems, flag = set(), self.flag(whole.debit_account)
        if whole.amount:
            problems.add("AMOUNT_NOT_ZERO")
        if whole.debit_account != whole.credit_account:
            problems.add("ACCOUNTS_DIFFERENT")
        if whole.debit_account not in self.places:
            problems.add("DEBIT_ACCOUNT_NOT_FOUND")
        if flag == 2:
            problems.add("ACCOUNT_CLOSED")
        if flag == 1 and whole.kind is not Kind.UNFREEZE:
            problems.add("ACCOUNT_FROZEN")
        if flag == 0 and whole.kind is Kind.UNFREEZE:
            problems.add("ACCOUNT_NOT_FROZEN")
        return problems

    def _ending(self, whole: Transfer, now_us: int) -> set[str]:
        for other, _ in self.standing:
            if other.kind in ENDS and other.pending_id == whole.pending_id:
                return {ENDS[other.kind]}
        hold, made_us = next((t, at) for t, at in self.standing if t.id == whole.pending_id)
        is_over = hold.timeout_us > 0 and made_us + hold.timeout_us <= now_us
        if whole.kind is Kind.EXPIRE:
            return set() if is_over else {"PENDING_NOT_YET_EXPIRED"}
        if whole.kind is Kind.VOID:
            return set()
        return self._standing_still(whole) | ({"PENDING_EXPIRED"} if is_over else set())

    def _bearing(self, whole: Transfer) -> set[str]:
        problems = set()
        debits = self.booked(whole.debit_account)[0] + self.held(whole.debit_account)[0] + whole.amount
        credits = self.booked(whole.credit_account)[1] + self.held(whole.credit_account)[1] + whole.amount
        if max(debits, credits) >= 2**63:
            problems.add("BALANCE_OVERFLOWS")
        debit, credit = self.places.get(whole.debit_account), self.places.get(whole.credit_account)
        if debit and debit.limited == "debits" and debits > self.booked(whole.debit_account)[1]:
            problems.add("EXCEEDS_CREDITS")
        if credit and credit.limited == "credits" and credits > self.booked(whole.credit_account)[0]:
            problems.add("EXCEEDS_DEBITS")
        return problems
