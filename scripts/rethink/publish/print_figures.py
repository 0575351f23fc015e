"""The figures in the form that the PDF draws fastest.

Matplotlib draws every glyph and marker as a reference to a path, in a group of its own, so that an
SVG looks the same everywhere. The PDF carries its fonts: there glyphs are text, which can also be
searched and copied. With references resolved and groups dissolved, a figure takes a third of the
time to draw, and looks the same.
"""

import functools
import importlib.metadata
import re
import unicodedata
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from rethink.errors import RethinkError

FAMILY = "Figure Sans"
# Matplotlib's name of a font -> its file, weight and style.
FONTS = {
    "DejaVuSans": ("DejaVuSans.ttf", "normal", "normal"),
    "DejaVuSans-Bold": ("DejaVuSans-Bold.ttf", "bold", "normal"),
    "DejaVuSans-Oblique": ("DejaVuSans-Oblique.ttf", "normal", "italic"),
}
SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
GLYPH = re.compile(r"#(?P<font>[A-Za-z-]+)-(?P<index>[0-9a-f]+)$")
NUMBER = r"([-+.\de]+)"
PLACE = re.compile(rf"(?:translate\({NUMBER} {NUMBER}\))?\s*(?:scale\({NUMBER}\))?$")
FLIP = re.compile(rf"scale\({NUMBER} -\1\)$")
LIGATURE = re.compile("[\ufb00-\ufb06]")
SHAPE = re.compile(r"[MLCQZz]|[-+.\de]+")
MARKER, USE = {"id", "d", "style"}, {LINK, "x", "y", "style"}  # attributes that are understood
SIZE = 100  # of the font that matplotlib places glyphs by
NEAR = 0.3  # a glyph that is off by less stands where the one before it ends

ElementTree.register_namespace("", SVG.strip("{}"))
ElementTree.register_namespace("xlink", LINK[1 : LINK.index("}")])


class Glyph(NamedTuple):
    """A glyph as matplotlib places it: its character, advance, place and scale."""

    font: str
    character: str
    advance: float
    x: float
    y: float
    scale: float

    def precedes(self, other: "Glyph") -> bool:
        """Return whether `other` stands where this glyph ends, in the same font and size."""
        same = (self.font, self.y, self.scale) == (other.font, other.y, other.scale)
        return same and abs(self.x + self.advance - other.x) < NEAR


def font_faces() -> str:
    """Return the @font-face rules for the text of figures."""
    rules = []
    for file, weight, style in FONTS.values():
        rules.append(
            f"@font-face {{ font-family: '{FAMILY}'; font-weight: {weight}; font-style: {style}; "
            f"src: url('{(_folder() / file).as_uri()}'); }}"
        )
    return "\n".join(rules)


def for_print(svg: bytes) -> bytes:
    """Return a figure of matplotlib's in simpler elements.

    Its text needs the fonts that `font_faces` names. What is not drawn as matplotlib draws it, or
    in another font, stays as it is.
    """
    root = ElementTree.fromstring(svg)
    _set_text(root)
    _resolve_markers(root)
    _dissolve_groups(root)
    return ElementTree.tostring(root, encoding="utf-8")


def _set_text(root: ElementTree.Element) -> None:
    """Turn the glyphs below `root` into text."""
    for group in root.iter(f"{SVG}g"):
        glyphs = _glyphs(group)
        if not glyphs:
            continue
        group.set("transform", FLIP.sub(r"scale(\1)", group.get("transform", "")))
        for use in group.findall(f"{SVG}use"):
            group.remove(use)
        group.extend(_text(run) for run in _runs(glyphs))


def _resolve_markers(root: ElementTree.Element) -> None:
    """Put a path where a path is referred to, and drop the definitions that nothing needs."""
    paths = {path.get("id"): path for path in root.iter(f"{SVG}path") if path.get("id")}
    needed = set()
    for parent in root.iter():
        for index, use in enumerate(parent):
            if use.tag != f"{SVG}use":
                continue
            name = use.get(LINK, "").removeprefix("#")
            path = paths.get(name)
            if path is None or set(path.attrib) - MARKER or set(use.attrib) - USE:
                needed.add(name)
                continue
            # What the path says of its style holds before what it inherits.
            styles = [element.get("style") for element in (use, path)]
            shape = _moved(path.get("d", ""), float(use.get("x", 0)), float(use.get("y", 0)))
            style = "; ".join(filter(None, styles))
            parent[index] = ElementTree.Element(f"{SVG}path", {"d": shape, "style": style})
    for parent in root.iter(f"{SVG}defs"):
        for path in parent.findall(f"{SVG}path"):
            if path.get("id") not in needed:
                parent.remove(path)


def _moved(shape: str, x: float, y: float) -> str:
    """Return the shape of a path, in absolute coordinates, moved by `x` and `y`."""
    parts, offsets = [], cycle((x, y))
    for part in SHAPE.findall(shape):
        # A number has four decimals, a thousandth of what a printer can place.
        parts.append(part if part.isalpha() else f"{round(float(part) + next(offsets), 4):g}")
    return " ".join(parts)


def _dissolve_groups(parent: ElementTree.Element) -> None:
    """Put the content of groups that only have a name, or nothing in them, in their place."""
    children = []
    for child in parent:
        _dissolve_groups(child)
        if child.tag not in (f"{SVG}g", f"{SVG}defs"):
            children.append(child)
        elif child.tag == f"{SVG}g" and not set(child.attrib) - {"id"}:
            children.extend(child)
        elif len(child):
            children.append(child)
    parent[:] = children


def _glyphs(group: ElementTree.Element) -> list[Glyph]:
    """Return the glyphs of a group; none if something else is in it."""
    if not FLIP.search(group.get("transform", "")):
        return []
    children = [child for child in group if child.tag != f"{SVG}defs"]
    glyphs = [_glyph(child) for child in children if child.tag == f"{SVG}use"]
    return glyphs if len(glyphs) == len(children) and all(glyphs) else []


def _glyph(use: ElementTree.Element) -> Glyph | None:
    named = GLYPH.match(use.get(LINK, ""))
    place = PLACE.match(use.get("transform", ""))
    if not named or not place or named["font"] not in FONTS:
        return None
    font = _font(named["font"])
    index = int(named["index"], 16)
    if index not in font.characters:
        return None
    x, y, scale = (
        float(part or default) for part, default in zip(place.groups(), "001", strict=True)
    )
    advance = scale * font.advances[index]
    return Glyph(named["font"], font.characters[index], advance, x, y, scale)


def _runs(glyphs: list[Glyph]) -> list[list[Glyph]]:
    """Return the glyphs in runs that a font sets as they stand."""
    runs = [[glyphs[0]]]
    for before, glyph in pairwise(glyphs):
        if before.precedes(glyph):
            runs[-1].append(glyph)
        else:
            runs.append([glyph])
    return runs


def _text(run: list[Glyph]) -> ElementTree.Element:
    """Return a run as an element; matplotlib's y axis points upwards."""
    first = run[0]
    _, weight, style = FONTS[first.font]
    attributes = {
        "x": f"{first.x:g}",
        "y": f"{-first.y:g}",
        "font-family": FAMILY,
        "font-size": f"{SIZE * first.scale:g}",
    }
    if (weight, style) != ("normal", "normal"):
        attributes |= {"font-weight": weight, "font-style": style}
    text = ElementTree.Element(f"{SVG}text", attributes)
    # A ligature's letters: the font joins them again, and a search finds them.
    text.text = LIGATURE.sub(
        lambda match: unicodedata.normalize("NFKC", match[0]),
        "".join(glyph.character for glyph in run),
    )
    return text


class _Font(NamedTuple):
    """What is known of a font's glyphs by their index: characters, and advances at `SIZE`."""

    characters: dict[int, str]
    advances: dict[int, float]


@functools.cache
def _font(name: str) -> _Font:
    from fontTools.ttLib import TTFont

    font: Any = TTFont(_folder() / FONTS[name][0], lazy=True)
    glyphs = {
        font.getGlyphID(glyph): code for code, glyph in sorted(font.getBestCmap().items())[::-1]
    }
    order, widths, units = font.getGlyphOrder(), font["hmtx"], font["head"].unitsPerEm
    return _Font(
        {index: chr(code) for index, code in glyphs.items()},
        {index: SIZE * widths[order[index]][0] / units for index in glyphs},
    )


@functools.cache
def _folder() -> Path:
    """Return the folder of matplotlib's fonts, without the cost of importing it."""
    distribution = importlib.metadata.distribution("matplotlib")
    folder = Path(str(distribution.locate_file("matplotlib/mpl-data/fonts/ttf")))
    if not folder.is_dir():
        raise RethinkError(f"{folder}: the fonts of matplotlib are not there")
    return folder
