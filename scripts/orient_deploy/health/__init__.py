"""Whether what was deployed is well: a verdict over observations, and never a guess.

Values in, values out: it asks nobody, and has no clock but the one it is handed.
"""
