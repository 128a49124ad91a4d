"""The benchmark: this server, the floor and its peers doing the same work on one core, in one run.

`python -m bench` from a checkout; bench/README.md says how to read what it prints. Beside the package, never imported
by it. A load generator and a floor in C are compiled on the spot (load.c, floor.c); works.py says what is done,
servers.py and peers.py by whom, measure.py does one work with one server, report.py writes docs/benchmarks.md.
"""
