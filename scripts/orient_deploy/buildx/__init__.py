"""`docker buildx`: one build, its login, its builder, and what its log says when it fails.

The only room that starts docker. Decides nothing about what is built or recorded: a matrix entry
says what to build, and the record is the business of whoever asked.
"""
