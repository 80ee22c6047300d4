"""The settlement service as a process."""

from chassis import process
from services.settlement.service import SERVICE

if __name__ == "__main__":
    process.main(SERVICE)
