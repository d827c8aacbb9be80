"""Importing the room costs little: every action pays for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[3] / "scripts"
HEAVY = "argparse logging tempfile shutil pathlib urllib hashlib secrets random uuid json yaml"


def test_nothing_heavy_is_imported() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import orient_deploy.runner; "
        "print(*sys.modules)"
    )

    # -S: a site-packages .pth file of the developer's would import things of its own
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, timeout=60, capture_output=True
    )

    assert set(found.stdout.decode().split()) & set(HEAVY.split()) == set()
