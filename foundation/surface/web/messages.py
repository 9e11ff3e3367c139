"""Which texts the pages can show, and whether the catalogue has them all.

``python -m foundation.surface.web.messages foundation control_plane`` brings the ``messages.po``
of these packages up to date with their source: it adds what is new with an empty translation, drops
what is gone, and says what is missing. What the foundation says, a product does not repeat.

Texts come from three places: templates and pages (``_()``, ``N_()``, ``ngettext()``), and the
clauses in which features say what is wrong (``must be at most {limit}``). The latter are plain
strings in models and services, which know nothing of languages: every string there that reads like
a clause is taken, with ``%(p0)s`` in place of each value.
"""

import ast
import functools
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import cast

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import write_po

from foundation import products
from foundation.surface.web.i18n import file_of, read

ROOT = Path(__file__).resolve().parents[3]
FOUNDATION = "foundation"
#: Parts of the source whose strings are read by operators, developers or machines, never on a page.
ELSEWHERE = (
    "commands",
    "cli",
    "migrations",
    "products",
    "adapters",
    "store",
    "jobs",
    "demonstration",
    "api",
    "entrypoints/cli",
    "entrypoints/worker",
    "entrypoints/demo",
    "build_assets",
    "messages",
    "secretbox",
    "settings",
    "database",
    "outbox",
    "surface/web",
    "surface/auth",
    "content",
    "bootstrap",
    "serve",
    "entrypoints/reference",
    "serving/answering",
    "serving/reference",
    "serving/verbs",
    "processes",
)
_KEYWORDS = {"_": None, "gettext": None, "N_": None, "lazy_gettext": None, "ngettext": (1, 2)}
_CLAUSE = re.compile(r"(?=.*[a-z]{2})(?:%\(p\d\)s|[a-z(])[^\n]* [^\n]*", re.DOTALL)
_NOT_PROSE = re.compile(
    r"[][<>{}|]|::|@@|^--|=\S|^[\w.]+ [\w.]+=|^application/|'none'|^(?:asc|desc) "
)


def _parts(package: str) -> tuple[str, ...]:
    if package == FOUNDATION:
        return (package,)
    importlib.import_module(package)
    return (package, *products.declared_by(package).parts)


def source_files(package: str, suffix: str) -> Iterator[Path]:
    """The files of a product that have something to say."""
    for part in _parts(package):
        yield from sorted((ROOT / part.replace(".", "/")).rglob(f"*{suffix}"))


def _said_by_pages(package: str) -> Iterator[tuple[str | tuple[str, ...], str]]:
    for suffix, method in ((".html", "jinja2.ext:babel_extract"), (".py", "python")):
        for path in source_files(package, suffix):
            options = {"trimmed": "true", "silent": "false"} if suffix == ".html" else {}
            content = BytesIO(path.read_bytes())
            for _line, message, _comments, _context in extract(
                method, content, _KEYWORDS, options=options
            ):
                if message:
                    yield message, str(path.relative_to(ROOT))


def _pattern(node: ast.JoinedStr) -> str:
    parts = []
    number = 0
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value).replace("%", "%%"))
        else:
            parts.append(f"%(p{number})s")
            number += 1
    return "".join(parts)


class _Clauses(ast.NodeVisitor):
    """Collects the strings that read like a clause; docstrings and assertions are not said."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._keep(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._keep(_pattern(node))
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit(value.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        # Text brings its own Chinese; a defect is not an answer; a log is for operators.
        skipped = {
            "Text",
            "LookupError",
            "TypeError",
            "RuntimeError",
            "ValueError",
            "N_",
            "gettext",
        }
        if name in skipped or getattr(getattr(node.func, "value", None), "id", "") == "_log":
            return
        self.generic_visit(node)

    def _keep(self, text: str) -> None:
        if _CLAUSE.fullmatch(text) and not _NOT_PROSE.search(re.sub(r"%\(p\d\)s", "", text)):
            self.found.append(text)


def _said_by_features(package: str) -> Iterator[tuple[str, str]]:
    for path in source_files(package, ".py"):
        name = str(path.relative_to(ROOT).with_suffix(""))
        parts = name.split("/")
        if any(skip in parts or skip in name for skip in ELSEWHERE) or parts[-1] == "pages":
            continue
        clauses = _Clauses()
        clauses.visit(ast.parse(path.read_text()))
        for text in clauses.found:
            yield text, f"{name}.py"


@functools.cache
def extracted(package: str) -> Catalog:
    """Everything that a package's pages can say beyond the foundation's, in English."""
    catalog = Catalog(project="borough", charset="utf-8")
    known = Catalog() if package == FOUNDATION else extracted(FOUNDATION)
    for message, place in (*_said_by_pages(package), *_said_by_features(package)):
        if message not in known:
            catalog.add(message, locations=cast("list[tuple[str, int]]", [(place, None)]))
    return catalog


def untranslated(package: str, language: str) -> list[str]:
    """What the catalogue of a package lacks in a language."""
    known = read(package, language)
    missing = []
    for message in extracted(package):
        if not message.id:
            continue
        there = known.get(message.id if isinstance(message.id, str) else message.id[0])
        said = there.string if there else ""
        if not (all(said) and said if isinstance(said, tuple) else said):
            missing.append(message.id if isinstance(message.id, str) else message.id[0])
    return missing


def _fitting(said: str | Sequence[str] | None, *, plural: bool) -> str | tuple[str, ...]:
    """A translation in the form of its message, which may have become a plural since."""
    forms = (said,) if isinstance(said, str) else tuple(said or ("",))
    return forms if plural else forms[0]


def update(package: str, language: str) -> None:
    """Add what is new to the catalogue of a package and drop what is gone."""
    path = file_of(package, language)
    known = read(package, language) if path.exists() else Catalog(locale=language)
    fresh = Catalog(locale=language, project="borough", charset="utf-8", fuzzy=False)
    fresh.header_comment = (
        f"# Pages; `python -m foundation.surface.web.messages {package}` keeps it."
    )
    kept = {"Content-Type", "Language", "Plural-Forms", "MIME-Version"}
    fresh.mime_headers = [(name, value) for name, value in known.mime_headers if name in kept]
    for message in sorted(extracted(package), key=lambda m: str(m.id)):
        if message.id:
            there = known.get(message.id if isinstance(message.id, str) else message.id[0])
            places = sorted({place for place, _ in message.locations})
            there_in = cast("list[tuple[str, int]]", [(place, None) for place in places])
            string = _fitting(there.string if there else "", plural=not isinstance(message.id, str))
            fresh.add(message.id, string, locations=there_in)
    out = BytesIO()
    write_po(out, fresh, omit_header=False, width=100, sort_output=True, include_lineno=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())


def main(packages: Sequence[str]) -> int:
    """Bring the Chinese catalogues of packages up to date; 1 when translations are missing."""
    missing = []
    for package in packages:
        update(package, "zh")
        missing += untranslated(package, "zh")
    for message in missing:
        sys.stdout.write(f"{message}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
