"""An environment's secrets: what a file of them says, what GitHub has, and what to do about it.

Never prints a value.
"""
