# Every target sets up what it needs. `make help` lists them.

SHELL := /bin/bash
BIN := .venv/bin
# A worker for each core, each with servers of its own. tests/sharing.py shares the tests out. With more of them what is
# measured against the clock fails by itself.
ON_ALL_CORES := -n auto --maxprocesses 8
# What needs no server, nor long: the rules of Kargo and of the senders, settings and other values.
QUICK := --ignore-glob="*/test_real_*" --ignore-glob="*/test_properties.py" \
  --ignore=tests/providers/test_made_up.py tests/kargo tests/providers tests/wire \
  tests/test_bounded.py tests/test_go_url.py tests/test_settings.py

.PHONY: help run test quick check fuzz mutants bench drill siege fmt providers layers envtest gitea registry azurite azure-cli browser package deploy lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

# The environment is made anew when the pinned requirements change.
.venv/ready: requirements-dev.txt pyproject.toml scripts/find-python
	@python=$$(scripts/find-python) || exit 1; \
	echo "setting up .venv with $$python"; \
	"$$python" -m venv .venv && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	touch $@

run: .venv/ready ## start the service on 127.0.0.1:7071, with a sample cluster or the one of KUBECONFIG: make run PORT=7080
	@exec $(BIN)/kargo-receivers serve $(if $(KUBECONFIG),,--embedded) $(if $(PORT),--port $(PORT))

# What was compiled is kept, whatever the environment says: each worker and each program that the tests start compiles
# every module anew else, which is half of the time until the first test.
test quick: export PYTHONDONTWRITEBYTECODE :=
test: .venv/ready ## every test that can run here, on all cores; the last lines say what could not
	@$(BIN)/python -m pytest $(ON_ALL_CORES) --cov

quick: .venv/ready ## the tests of rules, senders and settings, in less than a minute: while one works on them
	@$(BIN)/python -m pytest $(ON_ALL_CORES) $(QUICK)

fuzz: .venv/ready ## try what nobody would write, five minutes per test: make fuzz FUZZ_SECONDS=60
	FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(BIN)/python -m pytest -m fuzz -rA --no-header -q

mutants: .venv/ready ## plant small faults in the core and see whether a test notices, half an hour: make mutants MUTANTS_SECONDS=600
	$(BIN)/python -m mutants $(MUTANTS)

check: .venv/ready ## format, lint, types, layers, infra; the last line says what could not be checked
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@scripts/check-infra

fmt: .venv/ready ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

providers: .venv/ready ## tell Terraform, the ingress and the schema of RECEIVERS which providers there are
	$(BIN)/python scripts/infra_providers.py
	$(BIN)/kargo-receivers schema >docs/receivers.schema.json

layers: .venv/ready ## draw the rooms of receivers/ into docs/how-it-works.md, from the imports
	$(BIN)/python scripts/layers.py

bench: .venv/ready ## measure, print a table, write docs/benchmarks.md
	$(BIN)/python -m bench

drill: .venv/ready ## break everything while deliveries arrive; says whether one was lost
	$(BIN)/python -m bench.drill

siege: .venv/ready ## hostile tenants and senders beside honest ones; says who was hurt, and writes docs/siege.md
	$(BIN)/python -m bench.siege

envtest: ## build kube-apiserver and etcd for the tests (once, a few minutes, needs Go)
	@tests/envtest/build

gitea: ## build Gitea for the tests (once, some five minutes, needs Go 1.26 and a C compiler)
	@tests/gitea/build

registry: ## install docker-registry and skopeo for the tests (by apt-get, as root)
	@scripts/registry

azurite: .venv/ready ## install the emulator of Azure Storage for the tests (once, needs Node 20 and npm)
	@$(BIN)/python -m receivers.local.azurite

azure-cli: .venv/ready ## install the Azure CLI for the tests of `make deploy` (once, half a minute)
	@tests/azure-cli/build

browser: ## install what the tests of the pages need: Chromium (by apt-get, as root) and axe-core (by npm)
	@scripts/browser

package: .venv/ready ## build dist/kargo-receivers-<version>.zip, and prove that it runs
	@$(BIN)/python scripts/package.py
	@$(BIN)/python scripts/prove_package.py

deploy: ## deploy the package: make deploy APP=<function app> RG=<resource group> [SUBSCRIPTION=<name or id>]
	@[ -n "$(APP)" ] && [ -n "$(RG)" ] || { echo "make deploy APP=<function app> RG=<resource group> [SUBSCRIPTION=<name or id>]" >&2; exit 2; }
	@scripts/deploy $(if $(SUBSCRIPTION),--subscription "$(SUBSCRIPTION)") "$(APP)" "$(RG)"

lock: .venv/ready ## pin the newest versions of everything
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --python-version 3.13 requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --python-version 3.13 --constraint requirements.txt requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --python-version 3.13 requirements-infra.in -o requirements-infra.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --python-version 3.13 tests/azure-cli/requirements.in -o tests/azure-cli/requirements.txt

clean: ## remove what the other targets made
	rm -rf .venv build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
