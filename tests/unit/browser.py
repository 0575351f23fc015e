"""A headless Chromium for the tests of the report; nothing but the program itself is needed."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

AXE = Path(__file__).resolve().parents[1] / "vendor/axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
SCRIPT = """
const report = async () => {
  const found = {};
  for (const theme of ["light", "dark"]) {
    document.documentElement.style.colorScheme = theme;
    const result = await axe.run(document, { resultTypes: ["violations", "incomplete"] });
    const told = (rules) => rules.flatMap((rule) => rule.nodes.map(
      (node) => `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`));
    found[theme] = { violations: told(result.violations), incomplete: told(result.incomplete),
      passes: result.passes.length, ink: getComputedStyle(document.body).color };
  }
  return found;
};
report().catch((error) => ({ error: String(error) })).then((found) => {
  const node = document.createElement("pre");
  node.id = "found";
  node.textContent = JSON.stringify(found);
  document.body.append(node);
});
"""


def load(page: Path, address: str = "") -> tuple[str, list[str]]:
    """Return the page as the browser has it after its scripts, and what its console says."""
    done = subprocess.run(
        [
            *(PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--enable-logging=stderr", "--window-size=1600,1200", "--virtual-time-budget=60000"),
            *(f"--user-data-dir={page.parent / 'browser'}", f"{page.as_uri()}{address}"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def audit(page: Path) -> dict:
    """Return what axe-core finds in a page, in its light and in its dark theme.

    The page is tested without its policy, which rightly forbids the script of the test.
    """
    text = POLICY.sub("", page.read_text(encoding="utf-8"))
    script = f"<script>{AXE.read_text(encoding='utf-8')}</script><script>{SCRIPT}</script></body>"
    copy = page.with_name(f"audited-{page.name}")
    head, _, tail = text.rpartition("</body>")
    copy.write_text(head + script + tail, encoding="utf-8")
    shown, _ = load(copy)
    found = re.search(r'<pre id="found">(.*?)</pre>', shown, re.DOTALL)
    return json.loads(html.unescape(found[1]))
