"""Real parts for tests: Docker engines, an image registry and an SSH server.

They are started here and stopped by their id. Their programs are those that
scripts/dev/fetch_engines.py left in a folder of their own:
nothing that is installed is changed, and only its ssh is used.
"""
