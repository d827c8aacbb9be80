"""git: acquire commits, list trees, compare them, choose a base. Knows nothing about images."""

from __future__ import annotations

from orient_deploy.history.base import local_event, obtain_head, resolve
from orient_deploy.history.checkout import Checkout, discover, find_checkout
from orient_deploy.history.git import Git
from orient_deploy.history.model import Base, Change, Resolution
from orient_deploy.history.remote import Remote
from orient_deploy.history.repository import Part, Repository, Want

__all__ = [
    "Base",
    "Change",
    "Checkout",
    "Git",
    "Part",
    "Remote",
    "Repository",
    "Resolution",
    "Want",
    "discover",
    "find_checkout",
    "local_event",
    "obtain_head",
    "resolve",
]
