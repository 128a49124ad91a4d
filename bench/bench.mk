# The benchmark's words; the Makefile includes this file.

.PHONY: bench bench-full

bench: .venv/.test ## the floor, this server and textbook aiohttp side by side: some minutes
	@.venv/bin/python -m bench short

bench-full: .venv/.test ## all peers, all works, and growth, into docs/benchmarks.md: an hour or two
	@.venv/bin/python -m bench install
	@.venv/bin/python -m bench full
