"""The policies' rows."""

from chassis.rows import Rows, alike
from services.credit_insurance.policy import rpc
from services.credit_insurance.policy.model import Policy
from services.credit_insurance.tables import policies

POLICIES = Rows(
    table=policies,
    record=Policy,
    prefix="policies/",
    views=alike(rpc.to_proto),
)
