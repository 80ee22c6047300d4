"""CEB messages of cross-border e-commerce: tables of elements, and the one reader of them all."""

from services.declarations.formats.ceb.reading import parse

__all__ = ["parse"]
