"""What an analyser knows, as bytes: JSON with arrays beside it, no pickles.

An archive of NumPy (``.npz``) with one array ``tree``, which is JSON in UTF-8; where an array stood
in it stands ``{"$array": name}``.
"""

import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np

_MOST_BYTES = 64 * 1024 * 1024
_MOST_ARRAYS = 2000
_LEVEL = 1  # of zlib: the usual 6 takes twice as long for three hundredths less


def pack(tree: dict[str, object]) -> bytes:
    """Plain JSON values and arrays as bytes."""
    arrays: dict[str, Any] = {}
    text = json.dumps(_take(tree, arrays)).encode()
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        for name, array in {"tree": np.frombuffer(text, np.uint8), **arrays}.items():
            plain = io.BytesIO()
            np.lib.format.write_array(plain, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")  # of no date: the same is packed the same
            archive.writestr(entry, plain.getbuffer(), zipfile.ZIP_DEFLATED, _LEVEL)
    return found.getvalue()


def unpack(data: bytes) -> dict[str, Any] | None:
    """The values again; None when these are not such bytes, or too many."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
        if len(members) > _MOST_ARRAYS or sum(m.file_size for m in members) > _MOST_BYTES:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            tree = _put(json.loads(arrays["tree"].tobytes()), arrays)
    except (
        ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, MemoryError,
        RecursionError, RuntimeError, zipfile.BadZipFile, zlib.error,
    ):  # fmt: skip
        return None
    return tree if isinstance(tree, dict) else None


def _take(value: Any, arrays: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"$array": name}
    if isinstance(value, dict):
        return {str(key): _take(each, arrays) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_take(each, arrays) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def _put(value: Any, arrays: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        if set(value) == {"$array"}:
            return arrays[value["$array"]]
        return {key: _put(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_put(each, arrays) for each in value]
    return value
