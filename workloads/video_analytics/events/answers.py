"""Files as answers: parts on request (RFC 9110, ranges), never run, never kept by others."""

from typing import BinaryIO

from flask import Response, send_file

_NAMES = {"image/jpeg": "jpg", "video/mp4": "mp4", "application/zip": "zip"}


def file_answer(file: BinaryIO, kind: str, name: str, *, download: bool = False) -> Response:
    """An open file as an answer; it is closed when it was sent.

    A player asks for a clip in parts: ``Range`` is answered with 206.
    """
    ending = _NAMES.get(kind, "bin")
    try:
        answer = send_file(
            file, mimetype=kind, as_attachment=download, download_name=f"{name}.{ending}",
            conditional=True, etag=name, max_age=0,
        )  # fmt: skip
    except BaseException:  # a part that is not there: 416
        file.close()
        raise
    answer.call_on_close(file.close)
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
