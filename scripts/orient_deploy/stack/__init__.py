"""Docker Compose as it is on this machine: what it makes of a project's files.

Never talks to a server, nor to the engine.
"""
