"""Whether the system libraries that WeasyPrint loads are there; cheap enough to ask every time."""

import ctypes

# Library -> the names under which Linux and macOS load it.
LIBRARIES = {
    "GObject": ("libgobject-2.0.so.0", "libgobject-2.0.dylib", "libgobject-2.0-0.dll"),
    "Pango": ("libpango-1.0.so.0", "libpango-1.0.dylib", "libpango-1.0-0.dll"),
    "PangoFT2": ("libpangoft2-1.0.so.0", "libpangoft2-1.0.dylib", "libpangoft2-1.0-0.dll"),
    "HarfBuzz": ("libharfbuzz.so.0", "libharfbuzz.dylib", "libharfbuzz-0.dll"),
    "HarfBuzz-subset": (
        "libharfbuzz-subset.so.0",
        "libharfbuzz-subset.dylib",
        "libharfbuzz-subset-0.dll",
    ),
    "Fontconfig": ("libfontconfig.so.1", "libfontconfig.dylib", "libfontconfig-1.dll"),
}
DEBIAN = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


def missing() -> str | None:
    """Return one sentence on the libraries that are missing and their packages, None if none is."""
    absent = [name for name, files in LIBRARIES.items() if not any(map(_loads, files))]
    if not absent:
        return None
    return (
        f"the PDF needs the system libraries {', '.join(absent)}, which were not found: install "
        f"{DEBIAN} (Debian, Ubuntu) or pango (Fedora, Arch, Homebrew)"
    )


def _loads(file: str) -> bool:
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True
