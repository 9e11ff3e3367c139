"""Documents and inputs as people give them to commands: files, standard input, ``name=value``."""

import sys
from pathlib import Path
from typing import Any

import click


def read(path: str) -> Any:  # noqa: ANN401 - any document
    """The document in a YAML or JSON file, ``-`` for standard input.

    Raises:
        click.UsageError: the file cannot be read or is neither.
    """
    import yaml  # noqa: PLC0415 - 0.05 s that other commands do not pay

    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
        return yaml.safe_load(text)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path}: is not text") from None
    except yaml.YAMLError as error:
        raise click.UsageError(f"{path}: is neither YAML nor JSON: {error}") from None


def pairs(given: tuple[str, ...]) -> dict[str, Any]:
    """``servers=3 network.open=true tags=[a,b]`` as an object; values are read as YAML.

    Raises:
        click.UsageError: names every part that is not ``name=value`` or contradicts another one.
    """
    import yaml  # noqa: PLC0415

    result: dict[str, Any] = {}
    wrong = []
    for part in given:
        path, equals, text = part.partition("=")
        if not equals or not all(path.split(".")):
            wrong.append(f"{part!r} is not name=value")
            continue
        try:
            _put(result, path, yaml.safe_load(text))
        except (yaml.YAMLError, TypeError):
            wrong.append(f"{part!r} cannot be read")
    if wrong:
        raise click.UsageError("; ".join(wrong))
    return result


def _put(target: dict[str, Any], path: str, value: object) -> None:
    *above, last = path.split(".")
    for step in above:
        inner = target.setdefault(step, {})
        if not isinstance(inner, dict):
            raise TypeError(path)
        target = inner
    target[last] = value
