"""Figures in the form that the PDF prints: the same drawing in fewer elements, its text as text."""

import io
from xml.etree import ElementTree

import pytest

from rethink.figures import style
from rethink.publish.print_figures import SVG, for_print


@pytest.fixture(scope="module")
def figure():
    style.use()
    result, axes = style.figure(2.0)
    axes[0, 0].plot([1, 2, 3], [1e-3, 1, 1e3], marker="o", color=style.BLUE)
    axes[0, 0].set(yscale="log", xlabel="fitted at Tanh, WAVE (%)", ylabel="loss")
    axes[0, 0].set_title("bold words", fontweight="bold")
    buffer = io.BytesIO()
    result.savefig(buffer, format="svg")
    return buffer.getvalue()


def texts(svg):
    return [node for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_glyphs_become_the_text_that_they_draw(figure):
    found = "".join(node.text for node in texts(for_print(figure)))
    for words in ("fitted at Tanh, WAVE (%)", "loss", "bold words"):
        assert words in found
    assert {node.text for node in texts(for_print(figure)) if node.get("font-weight")} == {
        "bold words"
    }


def test_kerned_letters_stand_where_matplotlib_puts_them(figure):
    label = [node for node in texts(for_print(figure)) if node.text.strip() and "T" in node.text]
    places = [float(node.get("x")) for node in label]
    assert places == sorted(places)


def test_markers_are_moved_paths_and_nothing_refers_to_nothing(figure):
    root = ElementTree.fromstring(for_print(figure))
    assert not list(root.iter(f"{SVG}use"))
    original = ElementTree.fromstring(figure)
    uses = [
        u for u in original.iter(f"{SVG}use") if u.get("x") and "0072b2" in (u.get("style") or "")
    ]
    for use in uses:
        x, y = float(use.get("x")), float(use.get("y"))
        starts = [path.get("d").split()[1:3] for path in root.iter(f"{SVG}path")]
        # A round marker of 4.5 points begins below its centre.
        assert any(
            float(a) == pytest.approx(x, abs=0.01) and float(b) == pytest.approx(y + 2.25, abs=0.01)
            for a, b in starts
        )
    assert len(uses) == 3


def test_it_has_far_fewer_elements(figure):
    before, after = (
        len(list(ElementTree.fromstring(s).iter())) for s in (figure, for_print(figure))
    )
    assert after < before / 2


def test_what_it_does_not_know_stays():
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        b'<defs><path id="p" transform="scale(2)" d="M 0 0 L 1 1"/></defs>'
        b'<g transform="scale(1 -1)"><use xlink:href="#Other-41"/></g><use xlink:href="#p" x="1"/></svg>'
    )
    root = ElementTree.fromstring(for_print(drawing))
    assert len(list(root.iter(f"{SVG}use"))) == 2
    assert len(list(root.iter(f"{SVG}path"))) == 1
