"""Other machines over SSH, by the OpenSSH client of this one.

Logs in, runs commands and puts files there. Accepts no host key that was not given beforehand, puts
nothing secret into arguments, and judges nothing about what a command answered.
"""
