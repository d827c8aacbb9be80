"""Show job summaries as a reviewer sees them: Markdown files into one page, and pictures of it.

    python scripts/dev/render_summary.py tests/golden/*.md --out DIRECTORY

writes page.html, and light.png and dark.png where a Chromium is installed. GitHub's own Markdown
parser and Mermaid make the page; the style only resembles GitHub's. Never decides anything.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cmarkgfm  # type: ignore[import-untyped]  # it ships no types
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]  # the same

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--virtual-time-budget=20000",
)
TIMEOUT_S = 120

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; background: #f6f8fa;
  font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
article { max-width: 980px; margin: 24px auto; padding: 24px 32px; border: 1px solid #d1d9e0;
  border-radius: 6px; background: #ffffff; color: #1f2328; }
h3 { font-size: 1.25em; margin: 0 0 16px; }
p, ul, table, details, pre, .mermaid { margin: 0 0 16px; }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%;
  overflow: auto; }
th, td { padding: 6px 13px; border: 1px solid #d1d9e0; }
tr:nth-child(2n) { background: #f6f8fa; }
code { padding: .2em .4em; border-radius: 6px; background: #818b981f;
  font: 85% ui-monospace, monospace; white-space: break-spaces; }
pre { padding: 16px; overflow: auto; border-radius: 6px; background: #f6f8fa; }
pre code { padding: 0; background: none; white-space: pre; font-size: 100%; }
a { color: #0969da; }
.name { max-width: 980px; margin: 24px auto -16px; color: #59636e; }
.mermaid { text-align: center; }
@media (prefers-color-scheme: dark) {
  body { background: #010409; }
  article { background: #0d1117; color: #f0f6fc; border-color: #3d444d; }
  th, td { border-color: #3d444d; }
  tr:nth-child(2n), pre { background: #151b23; }
  code { background: #656c7633; }
  a { color: #4493f8; }
}
"""

# Draws every diagram, and leaves what came of it in #results for whoever reads the page's text.
_SCRIPT = """
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
mermaid.initialize({ startOnLoad: false, theme: dark ? "dark" : "default" });
(async () => {
  const results = [];
  for (const block of document.querySelectorAll("pre[lang=mermaid]")) {
    const name = block.closest("article").id;
    const host = document.createElement("div");
    host.className = "mermaid";
    try {
      const { svg } = await mermaid.render("m" + results.length, block.textContent);
      host.innerHTML = svg;
      const nodes = [...host.querySelectorAll("g.node")].map((one) => one.textContent.trim());
      const edges = host.querySelectorAll("path.flowchart-link").length;
      results.push({ name, error: "", nodes, edges });
    } catch (error) {
      results.push({ name, error: String(error), nodes: [], edges: 0 });
    }
    block.replaceWith(host);
  }
  const output = document.createElement("script");
  output.type = "application/json";
  output.id = "results";
  output.textContent = JSON.stringify(results).replaceAll("<", "\\\\u003c");
  document.body.append(output);
})();
"""


def to_html(markdown: str) -> str:
    """The HTML that GitHub's parser makes of Markdown, before GitHub takes out what it forbids."""
    rendered: str = cmarkgfm.github_flavored_markdown_to_html(
        markdown, options=Options.CMARK_OPT_UNSAFE
    )
    return rendered


def page(summaries: Mapping[str, str], mermaid: Path, *, unfold: bool = False) -> str:
    """One page that shows all summaries, by their names."""
    articles = []
    for name, markdown in summaries.items():
        body = to_html(markdown)
        if unfold:
            body = body.replace("<details>", "<details open>")
        label = html.escape(name, quote=True)
        articles.append(f'<p class="name">{label}</p><article id="{label}">{body}</article>')
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{"".join(articles)}'
        f'<script src="{mermaid.as_uri()}"></script><script>{_SCRIPT}</script>'
    )


def find_browser() -> str | None:
    """The path of a Chromium, if there is one."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def browse(browser: str, *arguments: str) -> str:
    """What the browser prints; it runs without a network and without a profile."""
    with tempfile.TemporaryDirectory(prefix="browser-") as profile:
        done = subprocess.run(
            [browser, *FLAGS, f"--user-data-dir={profile}", *arguments],
            check=True,
            timeout=TIMEOUT_S,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
    return done.stdout


def drawn(browser: str, file: Path) -> list[dict[str, Any]]:
    """What became of each diagram of a page: its name, error, nodes' texts and number of edges."""
    text = browse(browser, "--dump-dom", file.as_uri())
    found = re.search(r'<script type="application/json" id="results">(.*?)</script>', text, re.S)
    if found is None:
        raise RuntimeError("the page did not come to its end")
    results: list[dict[str, Any]] = json.loads(found[1])
    return results


def main(argv: Sequence[str]) -> int:
    """Write the page and its pictures; 1 when a diagram cannot be drawn."""
    sys.path.insert(0, str(ROOT))
    from tests.oracles.node_tools import mermaid_script

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/summaries"))
    parser.add_argument("--height", type=int, default=4000, help="of the pictures, in pixels")
    parser.add_argument("--unfold", action="store_true", help="show what is folded")
    options = parser.parse_args(argv)
    summaries = {file.stem: file.read_text(encoding="utf-8") for file in options.files}
    options.out.mkdir(parents=True, exist_ok=True)
    file = (options.out / "page.html").resolve()
    file.write_text(page(summaries, mermaid_script(), unfold=options.unfold), encoding="utf-8")
    print(file)
    browser = find_browser()
    if browser is None:
        print("no Chromium on PATH: open the page in a browser", file=sys.stderr)
        return 0
    for theme, flags in (("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))):
        picture = file.with_name(f"{theme}.png")
        size = f"--window-size=1100,{options.height}"
        browse(browser, *flags, size, f"--screenshot={picture}", file.as_uri())
        print(picture)
    broken = [one for one in drawn(browser, file) if one["error"]]
    for one in broken:
        print(f"{one['name']}: {one['error']}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
