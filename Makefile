# make demo    run the main job for real on a small, unofficial budget and build the site
# make test    run the tests
# make test-procgen  run the tests of Procgen, in an environment of their own (1.5 GB)
# make test-hopper  replay RandomFrictionHopper's golden cases under MuJoCo 2.3.7, as they were made
# make test-cluster  run the tests of Ray and SLURM, in an environment of their own
# make test-agents   run the tests of agents in torch, in an environment of their own
# make rliable-tests RLIABLE=folder  run rliable's own tests, of a checkout, on rlbench.compat.rliable
# make faults  inject many faults, for half an hour
# make fuzz    read a million mutated records, and as many mutated files of others
# make docs    build the site of the documentation in build/docs; broken links are errors
# make recipes run agents made with other libraries, which it installs (3 GB)
# make check   what CI runs besides: lint, types, the wheel, the documentation

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
VENV := .venv/pyvenv.cfg
CORE := .venv/.core
DEV := .venv/.dev
TRIAL := --suite atari100k --tasks Freeway,Breakout,Pong --seeds 3 --store demo/runs \
         --unofficial budget=2000,episodes=5

# What Python compiles is kept: tests start many processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test test-slow test-procgen test-hopper test-cluster test-agents test-axe rliable-tests faults fuzz docs recipes lint types wheel-test check \
        bench bench-stats bench-adastop bench-agents \
        clean

install: $(CORE)

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "rlbench needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

$(CORE): pyproject.toml $(VENV)
	$(INSTALL) --editable '.[atari,site]'
	@touch $@

$(DEV): pyproject.toml $(VENV)
	$(INSTALL) --editable '.[atari,dmc,dev]'
	@touch $(CORE) $@

demo: install
	$(BIN)/rlbench run $(TRIAL) --agent random
	$(BIN)/rlbench run $(TRIAL) --agent examples/my_agent.py
	$(BIN)/rlbench stats --suite atari100k --store demo/runs --unofficial budget=2000,episodes=5
	$(BIN)/rlbench leaderboard build --store demo/runs --out demo/site

# The tests of a file share what they set up, so they stay in one process.
test: $(DEV)
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow and not faults and not recipes and not cluster"

test-slow: $(DEV)
	$(BIN)/pytest -m slow

.venv-procgen/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-procgen
	.venv-procgen/bin/pip install --quiet --disable-pip-version-check --editable '.[procgen]' pytest hypothesis
	.venv-procgen/bin/pip download --quiet --disable-pip-version-check --no-deps --dest .venv-procgen/wheels \
	  --only-binary=:all: --python-version 3.10 --platform manylinux2014_x86_64 procgen==0.10.7
	mkdir -p .venv-procgen/data && cp .venv-procgen/wheels/procgen-*.whl .venv-procgen/data
	RLBENCH_DATA=.venv-procgen/data .venv-procgen/bin/rlbench data fetch procgen-reference
	@touch $@

# The extra is too large for `make test`, which skips these where it is missing.
test-procgen: .venv-procgen/.ready
	RLBENCH_DATA=$(CURDIR)/.venv-procgen/data RLBENCH_WHEELS=$(CURDIR)/.venv-procgen/wheels \
	  .venv-procgen/bin/python -m pytest tests/golden/test_procgen.py tests/suites/test_procgen.py \
	  tests/suites/test_procgen_reference.py

.venv-hopper/.ready: pyproject.toml
	python3.11 -m venv .venv-hopper
	.venv-hopper/bin/pip install --quiet --disable-pip-version-check --editable . hypothesis mujoco==2.3.7 pytest
	@touch $@

# Contacts are those of MuJoCo 2.3.7, which has wheels up to Python 3.11.
test-hopper: .venv-hopper/.ready
	.venv-hopper/bin/python -m pytest tests/golden/test_hopper_2_3_7.py

.venv-cluster/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-cluster
	.venv-cluster/bin/pip install --quiet --disable-pip-version-check --editable '.[atari,ray,slurm]' hypothesis pytest
	@touch $@

# They start a cluster of two nodes on this machine.
test-cluster: .venv-cluster/.ready
	.venv-cluster/bin/python -m pytest -m cluster tests/cluster

.venv-agents/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-agents
	.venv-agents/bin/pip install --quiet --disable-pip-version-check --editable '.[agents,parkour]' \
	  hypothesis pytest
	@touch $@

# Elsewhere these are skipped where torch is missing.
test-agents: .venv-agents/.ready
	.venv-agents/bin/python -m pytest tests/runners/agents/test_torch_common.py \
	  tests/runners/agents/test_offline_agents.py tests/runners/agents/test_students.py \
	  tests/runners/teachers/test_torch_teachers.py -m "not slow"

# axe-core is MPL-2.0, and is fetched for this test alone.
build/axe/package/axe.min.js:
	mkdir -p build/axe
	cd build/axe && npm pack --silent axe-core@4.14.1 && tar xzf axe-core-4.14.1.tgz

test-axe: $(DEV) build/axe/package/axe.min.js
	RLBENCH_AXE=$(CURDIR)/build/axe/package/axe.min.js \
	  $(BIN)/pytest tests/leaderboard/test_pages_in_browser.py

# The releases of rliable have no tests. They need absl-py, which comes with dm_control.
rliable-tests: $(DEV)
	$(BIN)/python tools/rliable_tests.py $(RLIABLE)

faults: $(DEV)
	$(BIN)/pytest -n auto --dist load -m faults tests/faults

fuzz: $(DEV)
	RLBENCH_FUZZ=1000000 $(BIN)/pytest -n auto --dist load tests/results/test_fuzz.py tests/results/test_reading_fuzz.py \
	  tests/results/submissions/test_fuzz.py

.venv-docs/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: .venv-docs/.ready
	.venv-docs/bin/mkdocs build --quiet --strict

.venv-recipes/.done: tests/recipes/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-recipes
	.venv-recipes/bin/pip install --quiet --disable-pip-version-check --editable '.[parkour,sb3,sbx,teachers]' \
	  --requirement tests/recipes/requirements.txt
	@touch $@

recipes: .venv-recipes/.done
	.venv-recipes/bin/pip list | grep -E '^(gymnasium|jax|numpy|sbx-rl|skrl|stable_baselines3|torch|torchrl) '
	.venv-recipes/bin/pytest -m recipes tests/recipes
	.venv-recipes/bin/pytest tests/runners/agents/test_sb3.py tests/runners/agents/test_foreign_agents.py

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/zizmor --offline --pedantic --quiet .github

types: $(DEV)
	$(BIN)/mypy

wheel-test: $(DEV)
	bash .ci/wheel-test

check: lint types wheel-test docs

.venv-peers:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check rliable 'pandas<3' adastop==0.1.3

bench-stats: $(DEV) .venv-peers
	$(BIN)/python benchmarks/stats_vs_peers.py

bench-adastop: $(DEV) .venv-peers
	$(BIN)/python benchmarks/adastop_level.py

.venv-d3rlpy:
	$(PYTHON) -m venv .venv-d3rlpy
	.venv-d3rlpy/bin/pip install --quiet --disable-pip-version-check d3rlpy==2.8.1

bench-agents: .venv-agents/.ready .venv-d3rlpy
	.venv-agents/bin/python benchmarks/offline_agents.py

bench: $(DEV)
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/runner_overhead.py
	$(BIN)/python benchmarks/backends.py
	$(BIN)/python benchmarks/metering.py
	$(BIN)/python benchmarks/hangs.py
	$(BIN)/python benchmarks/command_agent.py
	$(BIN)/python benchmarks/stori.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/parkour.py
	$(BIN)/python benchmarks/neorl2.py
	$(BIN)/python benchmarks/leaderboard_build.py
	$(BIN)/python benchmarks/reading.py

clean:
	rm -rf .venv .venv-agents .venv-d3rlpy .venv-docs .venv-peers .venv-hopper .venv-cluster .venv-procgen .venv-recipes build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache
