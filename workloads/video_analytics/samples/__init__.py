"""Clips that stand in for cameras where there is none: in the demonstration and in tests."""

from pathlib import Path

#: Where they are; cameras may always play files of this folder.
FOLDER = Path(__file__).parent
