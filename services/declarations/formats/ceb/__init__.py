"""CEB messages of cross-border e-commerce: tables of elements, and the one reader of them all."""

from services.declarations.formats.ceb.message import NAMESPACE
from services.declarations.formats.ceb.reading import parse
from services.declarations.formats.ceb.tables import MESSAGES

__all__ = ["MESSAGES", "NAMESPACE", "parse"]
