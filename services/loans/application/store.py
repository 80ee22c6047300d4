"""Applications as rows."""

from chassis.rows import Rows, as_seen
from services.loans.application import rpc
from services.loans.application.model import Application
from services.loans.tables import applications

# One event for each party, since no bank may learn which others were asked.
APPLICATIONS = Rows(
    table=applications, record=Application, prefix="applications/", views=as_seen(rpc.to_proto), tells_each=True
)
