"""CEB messages of cross-border e-commerce: tables of elements, and the one reader of them all."""

from services.declarations.intake.formats.ceb.message import NAMESPACE
from services.declarations.intake.formats.ceb.reading import parse
from services.declarations.intake.formats.ceb.tables import MESSAGES

__all__ = ["MESSAGES", "NAMESPACE", "parse"]
