# The commands of run.py. Another Python: make test PYTHON=python3.12
PYTHON ?= python3
COMMANDS := demo test test-slow test-versions test-adapters test-peers bench docs package lint setup

.PHONY: $(COMMANDS) help
help:
	@$(PYTHON) run.py || true

$(COMMANDS):
	@$(PYTHON) run.py $@ $(ARGS)
