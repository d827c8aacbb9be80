"""Real parts for tests: Docker engines, an image registry and an SSH server, started here and stopped
by their id.

Their programs come from scripts/dev/fetch_engines.py, into a folder of their own: nothing that is
installed on the machine is used or changed, but for its OpenSSH client.
"""
