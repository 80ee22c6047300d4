"""A filter that a tenant saved."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A filter under a title; `content` is the serialised DeclarationFilter."""

    id: str
    tenant: str
    title: str
    content: bytes
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"savedFilters/{self.id}"
