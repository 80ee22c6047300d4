"""The rules that all services share; a service's own stand beside them in the table that it hands over."""

from trade.derivations.deadlines import DEADLINES
from trade.derivations.interest import INTEREST
from trade.derivations.rules import ARITHMETIC, Rules

SHARED: Rules = {**ARITHMETIC, **INTEREST, **DEADLINES}
