"""Files as answers: parts on request (RFC 9110, ranges), never run, never kept by others."""

import os
from typing import BinaryIO

from flask import Response, request, send_file

_NAMES = {"image/jpeg": "jpg", "video/mp4": "mp4", "application/zip": "zip"}


def file_answer(file: BinaryIO, kind: str, name: str, *, download: bool = False) -> Response:
    """An open file as an answer; it is closed when it was sent.

    A player asks for a clip in parts: ``Range`` is answered with 206.
    """
    ending = _NAMES.get(kind, "bin")
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    answer = send_file(
        file, mimetype=kind, as_attachment=download, download_name=f"{name}.{ending}",
        conditional=False, etag=name, max_age=0,
    )  # fmt: skip
    try:
        answer.make_conditional(request.environ, accept_ranges=True, complete_length=size)
    except BaseException:  # a part that is not there: 416
        file.close()
        raise
    answer.call_on_close(file.close)
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
