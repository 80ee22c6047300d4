"""Reads a portrait as it was last computed."""

from aval.declarations.v1 import insight_pb2

from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations.insight import access
from services.declarations.insight.portrait import rpc, store


def get(reading: Reading, request: insight_pb2.GetRiskPortraitRequest) -> insight_pb2.RiskPortrait:
    """Returns an enterprise's portrait. Raises NotFound alike where there is none and where the caller may not see it.

    Raises ConsentMissing for an institution without consent.
    """
    enterprise = request.name.removesuffix("/riskPortrait")
    stored = store.load(reading.connection, enterprise)
    is_seen = access.see(reading, enterprise, "GetRiskPortrait", [request.name])
    if stored is None or not is_seen:
        raise NotFound(resource=request.name)
    return rpc.to_proto(stored)
