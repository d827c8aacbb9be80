"""Where the catalogue of what goes wrong is kept: reads it, and knows nothing of what it says."""

from __future__ import annotations

from pathlib import Path

from orient_deploy import symptoms
from orient_deploy.symptoms import Catalogue, parse_catalogue

PATH = Path(symptoms.__file__).with_name("catalogue.yml")


def load_catalogue() -> Catalogue:
    """The catalogue that this version ships."""
    return parse_catalogue(PATH.read_text(encoding="utf-8"))
