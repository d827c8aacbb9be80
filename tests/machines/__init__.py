"""Real parts for tests: Docker engines and an image registry, started here and stopped by their id.

Their programs come from scripts/dev/fetch_engines.py, into a folder of their own: nothing that is
installed on the machine is used or changed.
"""
