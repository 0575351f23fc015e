"""The report as one HTML file that asks nothing of the network."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rethink.errors import RethinkError


def environment(templates: Path) -> jinja2.Environment:
    """Return the environment of a folder of templates; an unknown variable is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        lstrip_blocks=True,
    )


def render(context: dict[str, Any], templates: jinja2.Environment) -> str:
    """Return the page; its style and script are inlined and named by hash in a strict policy.

    Raises RethinkError for a template that is missing or wrong.
    """
    try:
        style, script = (_text(templates, name) for name in ("style.css", "cells.js"))
        style = font_faces(_folder(templates)) + style
        return templates.get_template("report.html.j2").render(
            **context, style=Markup(style), script=Markup(script), policy=policy(style, script)
        )
    except jinja2.TemplateNotFound as error:
        raise RethinkError(f"{error.name} is not in the template folder") from None
    except jinja2.TemplateError as error:
        raise RethinkError(f"the report's template is wrong: {error}") from error


def _text(templates: jinja2.Environment, name: str) -> str:
    """Return a file of the template folder as it is."""
    text, _, _ = templates.loader.get_source(templates, name)
    return text


def _folder(templates: jinja2.Environment) -> Path:
    """Return the folder of the templates, where the fonts lie too."""
    path = templates.get_template("report.html.j2").filename
    return Path(path).parent / "fonts"


def font_faces(folder: Path) -> str:
    """Return the rules that hold the fonts of a folder, named ``report-<family>-<style>.woff2``.

    Raises RethinkError if the folder has none.
    """
    files = sorted(folder.glob("report-*.woff2"))
    if not files:
        raise RethinkError(f"{folder}: the report's fonts, report-*.woff2, are not there")
    rules = []
    for file in files:
        _, family, style = file.stem.split("-")
        data = base64.b64encode(file.read_bytes()).decode()
        rules.append(
            f'@font-face {{ font-family: "Report {family.capitalize()}"; '
            f"font-weight: {'bold' if style == 'bold' else 'normal'}; "
            f"font-style: {'italic' if style == 'italic' else 'normal'}; "
            f"src: url(data:font/woff2;base64,{data}); }}\n"
        )
    return "".join(rules)


def policy(style: str, script: str) -> str:
    """Return the content-security policy that allows this style and script, and data: addresses.

    Images and fonts are such data; nothing is fetched.
    """
    return (
        "default-src 'none'; img-src data:; font-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
