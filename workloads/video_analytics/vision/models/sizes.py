"""How large a picture is, by its header alone: before anything decodes what a stranger sent."""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = 24
#: Start of frame, any kind but the tables (DHT, JPG, DAC) that lie between them: ITU-T T.81, B.1.1.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_MARK, _DATA = 0xFF, 0xDA


def size_of(content: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG or PNG; None of anything else."""
    if content.startswith(_PNG) and len(content) >= _HEADER:
        width, height = struct.unpack(">II", content[16:24])
        return int(width), int(height)
    return _jpeg(content) if content.startswith(b"\xff\xd8\xff") else None


def _jpeg(content: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(content) and content[at] == _MARK:
        marker = content[at + 1]
        if marker == _MARK:  # fill bytes may stand before a marker
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return int(width), int(height)
        elif marker == _DATA:
            return None
        else:
            at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return None
