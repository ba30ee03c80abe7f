r"""Renew `static/vendor/` from npm packages, cut down to what the pages use.

A maintainer's tool; nothing imports it at run time. It needs `pyftsubset` (`pip install fonttools brotli`) on the path:

    npm install --prefix /tmp/npm @tabler/core@1.6.1 @tabler/icons@3.51.0 htmx.org@2.0.11 \
        echarts@6.1.0 @fontsource-variable/inter@5.3.0
    python -m shared.web.vendor /tmp/npm/node_modules
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

VENDOR = Path(__file__).parent / "static" / "vendor"

CHOICE = tomllib.loads((Path(__file__).parent / "vendor.toml").read_text(encoding="utf-8"))
FAMILIES = frozenset(CHOICE["tabler"]["families"])
TONES = re.compile(rf"-(?:{'|'.join(CHOICE['tabler']['without'])})(?:-|$)")
DROPPED = re.compile("|".join(CHOICE["tabler"]["selectors"]))
CLASS = re.compile(r"\.(-?[A-Za-z][\w-]*)")


def rules(css: str) -> list[tuple[str, str]]:
    """Split a stylesheet into (head, body) pairs; a statement without a body has an empty one."""
    found, depth, start, opened = [], 0, 0, 0
    for at, letter in enumerate(css):
        if letter == "{":
            opened, depth = (at, 1) if depth == 0 else (opened, depth + 1)
        elif letter == "}":
            depth -= 1
            if depth == 0:
                found.append((css[start:opened], css[opened + 1 : at]))
                start = at + 1
        elif letter == ";" and depth == 0:
            found.append((css[start:at], ""))
            start = at + 1
    return found


def wanted(selector: str) -> bool:
    """Whether our pages can use this selector: only families and tones that the style guide names."""
    if DROPPED.search(selector):
        return False
    return all(name.split("-")[0] in FAMILIES and not TONES.search(name) for name in CLASS.findall(selector))


def cut(css: str) -> str:
    """The stylesheet without the rules that no page uses."""
    kept = []
    for head, body in rules(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        if not body:
            kept.append(f"{head};")
        elif head.startswith(("@media", "@supports")):
            if inner := cut(body):
                kept.append(f"{head}{{{inner}}}")
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        elif selectors := [part for part in re.split(r",(?![^(]*\))", head) if wanted(part)]:
            kept.append(f"{','.join(selectors)}{{{body}}}")
    return without_unused_colours("".join(kept))


def without_unused_colours(css: str) -> str:
    """Drop custom properties that nothing left in the stylesheet reads."""
    read = set(re.findall(r"var\((--tblr-[\w-]+)", css))
    smaller = re.sub(
        r"(--tblr-[\w-]+):[^;{}]*(?:;|(?=\}))",
        lambda match: match[0] if match[1] in read else "",
        css,
    )
    return re.sub(r"[^{}]+\{\}", "", css) if smaller == css else without_unused_colours(smaller)


def sprite(icons: Path) -> str:
    """One SVG with a symbol for each icon in use."""
    symbols = []
    for name in sorted(CHOICE["icons"]):
        drawing = (icons / f"{name}.svg").read_text(encoding="utf-8")
        paths = re.findall(r"<(?:path|circle|rect|line)[^>]*/>", drawing)
        lines = "".join(path for path in paths if 'stroke="none"' not in path)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{lines}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def font(package: Path, script: str) -> None:
    """Write the part of the font that holds the characters of one script."""
    characters, features = CHOICE["inter"][script], CHOICE["inter"]["features"]
    source, target = package / f"files/inter-{script}-wght-normal.woff2", VENDOR / f"inter-{script}.woff2"
    options = [f"--unicodes={characters}", f"--layout-features={features}", "--flavor=woff2"]
    subprocess.run(["pyftsubset", source, *options, f"--output-file={target}"], check=True)  # noqa: S603, S607 - a maintainer's own tool


def manifest_entry(package: Path, file: str) -> dict[str, str]:
    """What the manifest says about one vendored file."""
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((VENDOR / file).read_bytes()).hexdigest()
    return {
        "file": file,
        "name": about["name"],
        "version": about["version"],
        "licence": about["license"],
        "sha256": digest,
    }


def licence(package: Path) -> str:
    """The licence text of a package under its name; Apache's notice with it."""
    name = json.loads((package / "package.json").read_text(encoding="utf-8"))["name"]
    texts = [
        (package / file).read_text(encoding="utf-8") for file in ("LICENSE", "NOTICE") if (package / file).exists()
    ]
    return "\n\n".join([f"==== {name} ====", *(texts or ["MIT; the notice stands at the head of its file."])])


def main(modules: Path) -> None:
    """Write every vendored file and the manifest."""
    tabler, icons, htmx = modules / "@tabler/core", modules / "@tabler/icons", modules / "htmx.org"
    echarts, inter = modules / "echarts", modules / "@fontsource-variable/inter"
    VENDOR.mkdir(parents=True, exist_ok=True)
    stylesheet = (tabler / "dist/css/tabler.min.css").read_text(encoding="utf-8")
    notice = "".join(re.findall(r"/\*!.*?\*/", stylesheet, flags=re.DOTALL)[:1])
    (VENDOR / "tabler.css").write_text(cut(stylesheet).replace(";", f";{notice}\n", 1), "utf-8")
    (VENDOR / "icons.svg").write_text(sprite(icons / "icons/outline"), "utf-8")
    (VENDOR / "htmx.js").write_bytes((htmx / "dist/htmx.min.js").read_bytes())
    (VENDOR / "echarts.js").write_bytes((echarts / "dist/echarts.min.js").read_bytes())
    font(inter, "latin")
    font(inter, "latin-ext")
    sources = {
        "tabler.css": tabler,
        "icons.svg": icons,
        "htmx.js": htmx,
        "echarts.js": echarts,
        "inter-latin.woff2": inter,
        "inter-latin-ext.woff2": inter,
    }
    entries = [manifest_entry(package, file) for file, package in sources.items()]
    (VENDOR / "LICENCES.txt").write_text(
        "\n\n".join(licence(package) for package in dict.fromkeys(sources.values())), "utf-8"
    )
    (VENDOR / "MANIFEST.json").write_text(json.dumps(entries, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
