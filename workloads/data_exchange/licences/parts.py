"""A presentation in parts: what does not fit into one QR code comes in several.

Each part is ``BL1/number/count/mark/text``; those of one presentation share a mark. In any order,
from a camera, a file or pasted text (``static/shared.js`` makes them).
"""

import re

from workloads.data_exchange.proofs.keys import ProofError

_PART = re.compile(r"BL1/(\d{1,3})/(\d{1,3})/([A-Za-z0-9_-]{1,16})/([\x20-\x7e]*)", re.ASCII)


def joined(text: str) -> str:
    """The whole of a text that may be in parts, one a line.

    Raises:
        ProofError: parts are missing, or of different presentations.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines or not lines[0].startswith("BL1/"):
        return text.strip()
    found: dict[int, str] = {}
    marks = set()
    for line in lines:
        part = _PART.fullmatch(line)
        if part is None:
            raise ProofError("a line is no part of a presentation")
        number, count, mark, chunk = part.groups()
        marks.add((count, mark))
        found[int(number)] = chunk
    if len(marks) != 1:
        raise ProofError("these are parts of different presentations")
    ((count, _),) = marks
    if not 0 < int(count) >= max(found):
        raise ProofError("a part is beyond the number of parts")
    missing = [n for n in range(1, int(count) + 1) if n not in found]
    if missing:
        raise ProofError(f"parts are missing: {', '.join(str(n) for n in missing)}")
    return "".join(found[n] for n in range(1, int(count) + 1))
