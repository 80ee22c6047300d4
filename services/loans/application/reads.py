"""Reading applications: the exporter and the banks asked do."""

from aval.loans.v1 import loans_pb2

from chassis.service import Reading
from services.loans.application import rpc, store


def get(reading: Reading, request: loans_pb2.GetApplicationRequest) -> loans_pb2.Application:
    """One application."""
    tenant = reading.caller.tenant
    return rpc.to_proto(store.find(reading.connection, request.name, tenant), tenant)


def list_(reading: Reading, request: loans_pb2.ListApplicationsRequest) -> loans_pb2.ListApplicationsResponse:
    """A page of the caller's, newest first."""
    tenant = reading.caller.tenant
    page, token = store.APPLICATIONS.page(reading.connection, reading.caller.tenant, request)
    views = [rpc.to_proto(application, tenant) for application in page]
    return loans_pb2.ListApplicationsResponse(applications=views, next_page_token=token)
