"""The loans service as a process."""

from chassis import process
from services.loans.service import SERVICE

if __name__ == "__main__":
    process.main(SERVICE)
