# Builds, runs and checks Roundtable. Needs Python 3.11 or newer and make; everything else is put into .venv
# (pinned by the requirements*.lock files) and web/node_modules (pinned by web/package-lock.json).
# A stamp file in .venv records what is installed, so a second run installs only what has changed.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/stamps
BUNDLE := roundtable/edge/web/index.html
ARGS   ?=

# The first Python that runs (a pyenv shim may be there and refuse), is new enough and can make environments.
CAN_RUN  := import sys; sys.exit(sys.version_info < (3, 11))
CAN_VENV := import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))
PYTHONS  := python3.13 python3.12 python3.11 python3
PYTHON   ?= $(shell for python in $(PYTHONS); do \
	"$$python" -c '$(CAN_VENV)' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

# Every lock names all its files' hashes. Nothing but llama-cpp-python is ever built from source.
PIP     := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet --quiet
INSTALL := $(PIP) install --require-hashes --no-warn-script-location
WHEELS  := --only-binary=:all:

say  = echo "==> $(1)"
fail = { echo "make: $(1)" >&2; exit 1; }

.PHONY: help
help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

##### What people call

.PHONY: setup web run local test check schema bench clients conformance lock wheel clean system

setup: $(STAMPS)/package  ## Make .venv with what Roundtable needs to run: .venv/bin/roundtable

web: $(BUNDLE)  ## Build the web bundle into roundtable/edge/web

run: setup web  ## Set up, build the bundle, serve, and open the lobby (more options: make run ARGS="--port 9000")
	@exec $(BIN)/roundtable serve --open $(ARGS)

local: setup $(STAMPS)/local  ## Add models on this machine: compile llama.cpp into .venv

test: setup system check web $(STAMPS)/local  ## Set up and check everything: check, web tests, pytest (pytest options: ARGS=)
	@$(call say,Running the web tests)
	@$(node) && cd web && npm run --silent test || $(call fail,the web tests failed)
	@$(call say,Running pytest)
	@$(BIN)/python -m pytest $(ARGS) || $(call fail,pytest failed)

check: setup $(STAMPS)/dev web/node_modules/.stamp  ## Lint, formatting, types, import arrows, generated files; Python and web
	@$(call say,ruff: lint)
	@$(BIN)/ruff check --quiet --output-format concise . || $(call fail,ruff found the above (many are mended by: .venv/bin/ruff check --fix))
	@$(call say,ruff: format)
	@$(BIN)/ruff format --quiet --check --output-format concise . || $(call fail,files are not formatted: run .venv/bin/ruff format)
	@$(call say,lint-imports: the arrow of imports)
	@$(BIN)/lint-imports --no-logo >$(STAMPS)/imports.log 2>&1 || { cat $(STAMPS)/imports.log; $(call fail,an import points the wrong way); }
	@$(call say,protocol.schema: generated files)
	@$(BIN)/python -m protocol.schema --check || $(call fail,generated files are out of date: run make schema)
	@$(call say,mypy)
	@$(BIN)/mypy || $(call fail,mypy found the above)
	@$(call say,web: types)
	@$(node) && cd web && npm run --silent check || $(call fail,the web check found the above)

schema: setup web/node_modules/.stamp  ## Write the JSON Schema from the protocol and the web's types from the schema
	@$(BIN)/python -m protocol.schema || $(call fail,the schema could not be written)
	@$(node) && cd web && npm run --silent --if-present types || $(call fail,the web types could not be written)

bench: setup $(STAMPS)/dev system  ## Measure (options: ARGS=)
	@$(BIN)/python -m tests.bench $(ARGS)

clients: setup $(STAMPS)/dev  ## Try OpenAI's packages, llm and LiteLLM against a server, each in an environment of its own
	@$(node) && $(BIN)/python -m tests.clients $(ARGS) || $(call fail,a client did not get what it should)

conformance: setup $(STAMPS)/dev web  ## Hold the served /openapi.json against the running server (options: ARGS=)
	@$(BIN)/python -m tests.conformance $(ARGS)

wheel: $(STAMPS)/package web  ## Build dist/roundtable-*.whl, bundle included
	@$(call say,Building the wheel)
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist . || $(call fail,the wheel could not be built)

lock: $(STAMPS)/venv  ## Pin the dependencies in pyproject.toml anew (all to their newest: ARGS=--upgrade)
	@$(call say,Resolving the lock files)
	@$(PIP) install --upgrade --target $(VENV)/uv 'uv==0.13.8' || $(call fail,uv could not be installed)
	@set -e; \
	compile="$(VENV)/uv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-header $(ARGS)"; \
	$$compile $(WHEELS) pyproject.toml -o requirements.lock; \
	$$compile $(WHEELS) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock; \
	$$compile pyproject.toml --extra local -c requirements-dev.lock -o requirements-local.lock; \
	$$compile $(WHEELS) --group build -c requirements-dev.lock -o requirements-build.lock; \
	$$compile $(WHEELS) --group node -o requirements-node.lock

clean:  ## Remove everything made here: .venv, node_modules, bundle, caches
	rm -rf $(VENV) web/node_modules roundtable/edge/web dist build .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find roundtable providers protocol tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

##### Python: .venv

# Made again if the folder was moved or its Python is gone.
ifneq ($(shell [ "$$(cat $(STAMPS)/venv 2>/dev/null)" = "$(CURDIR)" ] && $(BIN)/python -c '$(CAN_RUN)' 2>/dev/null && echo fit),fit)
.PHONY: $(STAMPS)/venv
endif

$(STAMPS)/venv:
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		for python in $(PYTHONS); do \
			"$$python" -c '$(CAN_RUN)' >/dev/null 2>&1 || continue; \
			$(call fail,$$python has no ensurepip and so cannot make .venv. On Debian and Ubuntu: apt-get install python3-venv); \
		done; \
		$(call fail,no Python 3.11 or newer was found. Install one or name it: make PYTHON=/path/to/python3); \
	fi; \
	"$$python" -c '$(CAN_VENV)' || $(call fail,$$python is not a Python 3.11 or newer with ensurepip); \
	$(call say,Making .venv with $$("$$python" -VV | head -n 1)); \
	"$$python" -m venv --clear $(VENV) || $(call fail,$$python could not make .venv); \
	mkdir -p $(STAMPS) && printf '%s\n' "$(CURDIR)" >$@

$(STAMPS)/tools: requirements-build.lock $(STAMPS)/venv
	@$(call say,Installing pip and the build backend)
	@$(INSTALL) $(WHEELS) -r $< || $(call fail,$< could not be installed)
	@touch $@

$(STAMPS)/runtime: requirements.lock $(STAMPS)/tools
	@$(call say,Installing what Roundtable runs on)
	@$(INSTALL) $(WHEELS) -r $< || $(call fail,$< could not be installed)
	@touch $@

$(STAMPS)/package: pyproject.toml $(STAMPS)/runtime
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable . || $(call fail,Roundtable itself could not be installed)
	@touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/runtime
	@$(call say,Installing what checks and tests need)
	@$(INSTALL) $(WHEELS) -r $< || $(call fail,$< could not be installed)
	@touch $@

$(STAMPS)/local: requirements-local.lock $(STAMPS)/runtime
	@$(call say,Installing llama.cpp: the first time it is compiled$(comma) about five minutes on two cores)
	@$(INSTALL) $(WHEELS) --no-binary=llama-cpp-python -r $< || $(call fail,$< could not be installed: llama-cpp-python needs a C++ compiler)
	@touch $@

##### The web bundle: Node.js and web/

# Vite's own range of versions. Puts a usable Node first on PATH, for the rest of the recipe's line.
NODE_FITS := const [a, b] = process.versions.node.split(".").map(Number); \
	process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)

node = { if ! node -e '$(NODE_FITS)' >/dev/null 2>&1 || ! npm --version >/dev/null 2>&1; then \
	$(MAKE) -s $(STAMPS)/node && export PATH="$(CURDIR)/$(BIN):$$PATH" NODE_USE_SYSTEM_CA=1; fi; }

$(STAMPS)/node: requirements-node.lock $(STAMPS)/tools
	@$(call say,Installing Node.js into .venv: PATH has none of version 20.19+ or 22.12+ with npm)
	@$(INSTALL) $(WHEELS) -r $< || $(call fail,$< could not be installed)
	@touch $@

web/package.json web/package-lock.json:
	@$(call fail,$@ is missing)

web/node_modules/.stamp: web/package.json web/package-lock.json $(STAMPS)/tools
	@$(node) && $(call say,Installing the web packages with Node.js $$(node --version) at $$(command -v node)) && \
		cd web && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error || $(call fail,npm ci failed in web/)
	@touch $@

# Folders count as sources so that a removed file shows.
WEB_SOURCES := $(shell find web -name node_modules -prune -o -name coverage -prune \
	-o -type f ! -name '*.tsbuildinfo' -print 2>/dev/null) \
	$(shell find web/src web/public -type d 2>/dev/null)

$(BUNDLE): web/node_modules/.stamp $(WEB_SOURCES)
	@$(node) && $(call say,Building the web bundle with Node.js $$(node --version)) && \
		cd web && npm run --silent build || $(call fail,the web bundle could not be built)
	@test -f $@ || $(call fail,the build left no $@)
	@touch $@

##### The system's packages, for tests

system:  ## Install what tests drive: redis-server, chromium, a C and C++ compiler (Debian's packages)
	@missing=""; for tool in redis-server chromium gcc g++; do \
		command -v "$$tool" >/dev/null 2>&1 || missing="$$missing $$tool"; done; \
	[ -n "$$missing" ] || exit 0; \
	command -v apt-get >/dev/null 2>&1 || $(call fail,not on PATH:$$missing. Install them with your package manager and run make again); \
	if [ "$$(id -u)" = 0 ]; then root=""; elif command -v sudo >/dev/null 2>&1; then root="sudo"; \
		else $(call fail,not on PATH:$$missing. Run as root: apt-get install$$missing); fi; \
	case "$$missing" in *chromium*) missing="$$missing fonts-liberation";; esac; \
	$(call say,Installing Debian packages:$$missing); \
	$$root apt-get update -qq && \
	$$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
		$(call fail,apt-get could not install:$$missing)

comma := ,
