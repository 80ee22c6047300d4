"""The declarations service as a process."""

from chassis import process
from services.declarations.service import SERVICE

if __name__ == "__main__":
    process.main(SERVICE)
