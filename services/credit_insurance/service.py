"""The credit insurance service: its contract's methods and the functions behind them."""

import pathlib
from collections.abc import Iterable
from typing import Any

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis.service import Command, Service
from ledger import store as ledger_store
from services.credit_insurance import verification
from services.credit_insurance.buyer_limit import commands as buyer_limit_commands
from services.credit_insurance.buyer_limit.store import BUYER_LIMITS
from services.credit_insurance.cover_hold import commands as cover_hold_commands
from services.credit_insurance.covered_shipment import commands as covered_shipment_commands
from services.credit_insurance.covered_shipment import exposure
from services.credit_insurance.covered_shipment import saga as covered_shipment_saga
from services.credit_insurance.covered_shipment.store import COVERED_SHIPMENTS
from services.credit_insurance.ending import jobs as ending_jobs
from services.credit_insurance.ending.rpc import visible
from services.credit_insurance.explaining import EXPLAINING
from services.credit_insurance.policy import commands as policy_commands
from services.credit_insurance.policy.store import POLICIES
from trade import breach
from trade import tables as trade_tables
from trade.dated_tables import packaged as dated_tables_packaged

VERSIONS = str(pathlib.Path(__file__).parent / "versions")


def _of_shipment(request: Any) -> Iterable[str]:
    return (request.covered_shipment.declaration, request.covered_shipment.buyer_limit)


def _of_hold(request: Any) -> Iterable[str]:
    return (request.declaration, f"coverHolds/{request.cover_hold_id}")


SERVICE = Service(
    name="credit_insurance",
    migrations=[ledger_store.MIGRATIONS, trade_tables.MIGRATIONS, VERSIONS],
    commands={
        "CreatePolicy": Command(policy_commands.create),
        "ApprovePolicy": Command(policy_commands.approve),
        "RequestBuyerLimit": Command(buyer_limit_commands.request_limit),
        "DecideBuyerLimit": Command(buyer_limit_commands.decide),
        "ApproveBuyerLimit": Command(buyer_limit_commands.approve),
        "CreateCoveredShipment": Command(covered_shipment_commands.create, names=_of_shipment),
        "HoldCover": Command(cover_hold_commands.hold, names=_of_hold),
        "ReleaseCover": Command(
            cover_hold_commands.release, names=lambda request: [f"coverHolds/{request.cover_hold_id}"]
        ),
        "ReleaseExposure": Command(
            covered_shipment_commands.release_exposure, names=lambda request: [request.declaration]
        ),
    },
    reads={
        "GetPolicy": POLICIES.get,
        "ListPolicies": POLICIES.lists(credit_insurance_pb2.ListPoliciesResponse),
        "GetBuyerLimit": BUYER_LIMITS.get,
        "ListBuyerLimits": BUYER_LIMITS.lists(credit_insurance_pb2.ListBuyerLimitsResponse),
        "GetCoveredShipment": COVERED_SHIPMENTS.get,
        "Explain": EXPLAINING.read,
        "ListCoveredShipments": COVERED_SHIPMENTS.lists(credit_insurance_pb2.ListCoveredShipmentsResponse),
    },
    subscriptions={"declarations": dict.fromkeys(breach.EVENTS, covered_shipment_saga.follow_breach)},
    sagas={saga.noun: saga for saga in (covered_shipment_saga.SAGA,)},
    sweeps=[exposure.look],
    jobs=[ending_jobs.POLICIES, ending_jobs.BUYER_LIMITS],
    prepare=[ledger_store.initialise, dated_tables_packaged.prepare],
    violations=verification.violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
    visible=visible,
)
