"""What a release is, and what becomes of the ones before it.

Pure: what a server has comes in as values, and what is to be done goes out as values. Touches no
server, and judges no health.
"""
