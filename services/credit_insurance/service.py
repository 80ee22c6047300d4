"""The credit insurance service: its contract's methods and the functions behind them."""

import pathlib
from collections.abc import Iterable
from typing import Any

from chassis.service import Command, Service
from ledger import store as ledger_store
from services.credit_insurance import verification
from services.credit_insurance.buyer_limit import commands as buyer_limit
from services.credit_insurance.buyer_limit import reads as buyer_limit_reads
from services.credit_insurance.cover_hold import commands as cover_hold
from services.credit_insurance.covered_shipment import commands as covered_shipment
from services.credit_insurance.covered_shipment import exposure
from services.credit_insurance.covered_shipment import reads as covered_shipment_reads
from services.credit_insurance.covered_shipment import saga as covered_shipment_saga
from services.credit_insurance.ending import jobs as ending_jobs
from services.credit_insurance.ending.rpc import visible
from services.credit_insurance.policy import commands as policy
from services.credit_insurance.policy import reads as policy_reads

VERSIONS = str(pathlib.Path(__file__).parent / "versions")


def _of_shipment(request: Any) -> Iterable[str]:
    return (request.covered_shipment.declaration, request.covered_shipment.buyer_limit)


def _of_hold(request: Any) -> Iterable[str]:
    return (request.declaration, f"coverHolds/{request.cover_hold_id}")


SERVICE = Service(
    name="credit_insurance",
    migrations=[ledger_store.MIGRATIONS, VERSIONS],
    commands={
        "CreatePolicy": Command(policy.create),
        "ApprovePolicy": Command(policy.approve, names=lambda request: [request.name]),
        "RequestBuyerLimit": Command(buyer_limit.request_limit),
        "DecideBuyerLimit": Command(buyer_limit.decide, names=lambda request: [request.name]),
        "ApproveBuyerLimit": Command(buyer_limit.approve, names=lambda request: [request.name]),
        "CreateCoveredShipment": Command(covered_shipment.create, names=_of_shipment),
        "HoldCover": Command(cover_hold.hold, names=_of_hold),
        "ReleaseCover": Command(cover_hold.release, names=lambda request: [f"coverHolds/{request.cover_hold_id}"]),
        "ReleaseExposure": Command(covered_shipment.release_exposure, names=lambda request: [request.declaration]),
    },
    reads={
        "GetPolicy": policy_reads.get,
        "ListPolicies": policy_reads.list_,
        "GetBuyerLimit": buyer_limit_reads.get,
        "ListBuyerLimits": buyer_limit_reads.list_,
        "GetCoveredShipment": covered_shipment_reads.get,
        "ListCoveredShipments": covered_shipment_reads.list_,
    },
    sagas={saga.noun: saga for saga in (covered_shipment_saga.SAGA,)},
    sweeps=[exposure.look],
    jobs=[ending_jobs.POLICIES, ending_jobs.BUYER_LIMITS],
    prepare=[ledger_store.initialise],
    violations=verification.violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
    visible=visible,
)
