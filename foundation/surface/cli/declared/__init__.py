"""Declared documents: files that say what there shall be (``apply``, ``diff``, ``plan``…)."""

from foundation.surface.cli.declared.checking import Description
from foundation.surface.cli.declared.documents import Document, Secret, Wrong, read_documents

__all__ = ["Description", "Document", "Secret", "Wrong", "read_documents"]
