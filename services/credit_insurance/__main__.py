"""The credit insurance service as a process."""

from chassis import process
from services.credit_insurance.service import SERVICE

if __name__ == "__main__":
    process.main(SERVICE)
