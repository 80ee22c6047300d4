"""The ground that every service stands on.

Importing it before grpc keeps strangers' texts out of the library's own log.
"""

import os

# Below ERROR the library writes what a peer sent, such as a GOAWAY's debug text with its line breaks, into our log.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
