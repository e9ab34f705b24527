"""How much of what the machine can do is left for people: our server beside C programs that do the least.

`python -m tests.bench` (or `make bench`) prints one row per figure. It judges and never asserts: a busy machine is
no bug. One file per row.
"""
