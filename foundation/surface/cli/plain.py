"""What strangers wrote, made harmless for a terminal.

A terminal takes some characters for commands: to move, to change its title or its keys, to turn the
direction of what follows. Titles, reasons and messages come from other people and other platforms.
"""

import re

#: Controls of both ranges but tab and the end of a line, and what turns the direction of text.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_REPLACED = "\ufffd"


def plain(text: str) -> str:
    """A text without what a terminal would obey; where something stood is seen."""
    return text if text.isprintable() else _COMMANDS.sub(_REPLACED, text)


def plain_json(text: str) -> str:
    """The same of a JSON text, which says the same: there they are written as escapes."""
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
