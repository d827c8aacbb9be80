"""What is known to break, found before anything is touched.

Pure: each module judges facts that it is handed, and answers with findings. Nothing here reads a
file, asks a server, or starts a program.
"""
