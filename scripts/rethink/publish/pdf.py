"""The report as PDF: PDF/A-3a and PDF/UA-1, with the tables attached.

The same input gives the same bytes: dates come from the report, its fonts from the report itself,
and those of the figures from matplotlib.
"""

import base64
import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rethink.errors import RethinkError
from rethink.files import write_bytes
from rethink.publish.pango import missing
from rethink.publish.print_figures import font_faces, for_print

# What a page cannot do: scripts, folded commands, links to data that lie in the attachments.
SCREEN_ONLY = re.compile(
    r'<script>.*?</script>|<details>.*?</details>|<a class="screen".*?</a>', re.DOTALL
)
FIGURE = re.compile(r"(?<=data:image/svg\+xml;base64,)[A-Za-z0-9+/=]+")
# PDF/UA's identifier, with the schema that PDF/A asks for wherever a foreign property is used.
UA_IDENTIFIER = b"""<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">
<pdfuaid:part>1</pdfuaid:part></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
 xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>part of ISO 14289 that the file follows</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
</rdf:RDF>"""


class _Warnings(logging.Handler):
    """Collects what WeasyPrint complains about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def write_pdf(html: Path, attachments: Sequence[Path], out: Path) -> None:
    """Write the report `html` as PDF to `out`, with the files `attachments` inside it.

    Raises RethinkError if Pango is missing, if `html` or an attachment is not there, and for
    anything that WeasyPrint warns about.
    """
    problem = missing()
    if problem:
        raise RethinkError(problem)
    import weasyprint  # fails to import without Pango
    from weasyprint.text.fonts import FontConfiguration

    for path in (html, *attachments):
        if not path.is_file():
            raise RethinkError(f"{path} is not there")
    if len({path.name for path in attachments}) < len(attachments):
        raise RethinkError("two attachments have the same name")
    warnings, logger = _Warnings(), logging.getLogger("weasyprint")
    logger.addHandler(warnings)
    try:
        fonts = FontConfiguration()
        style = weasyprint.CSS(string=font_faces(), font_config=fonts)
        text = SCREEN_ONLY.sub("", html.read_text(encoding="utf-8"))
        text = FIGURE.sub(_simpler, text)
        page = weasyprint.HTML(string=text, base_url="about:blank")
        document = page.render(stylesheets=[style], font_config=fonts)
        if not document.metadata.modified:
            raise RethinkError(f"{html} has no <meta name=dcterms.modified>; is it a report?")
        date = datetime.fromisoformat(document.metadata.modified)
        with _clear_stream_ends():
            content = document.write_pdf(
                pdf_variant="pdf/a-3a",
                attachments=[_attachment(path, date) for path in attachments],
                finisher=_finish,
            )
    finally:
        logger.removeHandler(warnings)
    if warnings.messages:
        raise RethinkError(f"WeasyPrint on {html}: {'; '.join(dict.fromkeys(warnings.messages))}")
    write_bytes(out, content)


def _simpler(match: re.Match[str]) -> str:
    """Return a figure's data in the form that prints fastest."""
    return base64.b64encode(for_print(base64.b64decode(match[0]))).decode()


def _attachment(path: Path, date: datetime) -> Any:
    """Return `path` as an attachment that carries the report's date, not the file's."""
    import weasyprint

    return weasyprint.Attachment(
        string=path.read_bytes(),
        name=path.name,
        description=f"Table {path.stem} of the run",
        created=date,
        modified=date,
        relationship="Data",
    )


@contextlib.contextmanager
def _clear_stream_ends() -> Iterator[None]:
    """Let every stream be followed by CR LF while a PDF is written.

    The writer puts a lone LF there. Where the data happen to end in CR (one compressed stream in
    256) the two read as one end of line, and the stream as a byte shorter than its /Length says,
    which PDF/A forbids.
    """
    import pydyf

    end = b"\nendstream"
    original = pydyf.Stream.data
    pydyf.Stream.data = property(
        lambda stream: original.fget(stream).removesuffix(end) + b"\r" + end
    )
    try:
        yield
    finally:
        pydyf.Stream.data = original


def _finish(document: Any, pdf: Any) -> None:
    """Make WeasyPrint's PDF/A-3a also PDF/UA-1, and both to the letter."""
    import pydyf

    for item in pdf.objects:
        if isinstance(item, pydyf.Stream):
            if item.extra.get("Type") == "/Metadata":
                item.compress = False
                item.stream = [item.stream[0].replace(b"</rdf:RDF>", UA_IDENTIFIER, 1)]
            if item.extra.get("Subtype") == "/Image":
                item.extra["Interpolate"] = "false"
        elif isinstance(item, dict) and item.get("Type") == "/Annot":
            item["F"] = 4  # a printable annotation
