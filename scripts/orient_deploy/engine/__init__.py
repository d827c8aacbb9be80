"""The Docker engine of a machine, here or on a server, asked through its own API.

Sees, and changes nothing but by the probes that run inside of a container; never judges.
"""
