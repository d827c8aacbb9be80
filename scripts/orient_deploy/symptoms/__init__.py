"""What is known to go wrong, and telling it from the words that programs print about it.

The catalogue is data (`catalogue.yml`); lines are handed in, diagnoses come out. Never fetches a
log, never reads a file, and shows of a foreign line only the part that a signature describes.
"""

from orient_deploy.symptoms.catalogue import Catalogue, Entry, Reaches, parse_catalogue
from orient_deploy.symptoms.match import Diagnosis, Matcher, Source, rollback_cures

__all__ = [
    "Catalogue",
    "Diagnosis",
    "Entry",
    "Matcher",
    "Reaches",
    "Source",
    "parse_catalogue",
    "rollback_cures",
]
