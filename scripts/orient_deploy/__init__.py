"""orient-deploy-actions: decide what a push must rebuild, and gate what may be deployed.

One package per room; which room knows what is drawn in `docs/architecture.md`.
"""

__version__ = "0.1.0"
