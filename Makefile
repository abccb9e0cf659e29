# The first Python that is new enough; say PYTHON=... to choose.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
SETUP = $(PYTHON) -m deploy.local
BIN = .venv/bin
# Two processes suit the small machine that CI has; the files of the suite are the units it shares out.
TEST_WORKERS ?= 2
TESTS ?= tests

.PHONY: help run setup test test-page schema messages lint lint-python lint-page fix types bench bench-peers demo-models demo-chat demo-image demo-voice eval-demo screens
.DEFAULT_GOAL := help

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: ## Start everything on this machine (PORT=8000 HOST=127.0.0.1 AIGC_DATA_DIR=data)
	@$(SETUP) run

setup: ## Make .venv with everything that tests and checks need, and build the page
	@$(SETUP) setup dev

test: setup test-page ## Run the whole suite (TESTS=path, TEST_WORKERS=2, ARGS="-k name")
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS) $(ARGS)

test-page: setup ## Run the page's own unit tests
	@$(SETUP) npm test

schema: setup ## Write the page's types of the API, from the OpenAPI document that the code gives
	$(BIN)/python manage.py spectacular --format openapi-json --validate --fail-on-warn --file frontend/openapi.json
	@$(SETUP) npm run schema

WORDS = aigc/locale/zh_Hans/LC_MESSAGES/django

messages: setup ## Compile the admin's Chinese words
	$(BIN)/python -c 'import polib; polib.pofile("$(WORDS).po").save_as_mofile("$(WORDS).mo")'

lint: lint-python lint-page ## Check format, rules, types and the arrows between the apps

lint-python: setup
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy . && $(BIN)/lint-imports

lint-page: setup
	@$(SETUP) npm run lint && $(SETUP) npm run types

types: setup ## Check the types only, Python's and the page's
	$(BIN)/mypy . && $(SETUP) npm run types

fix: setup ## Format, and mend what can be mended by itself
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	@$(SETUP) npm run lint -- --fix

bench: setup ## Measure against the bars of docs/benchmarks.md
	$(BIN)/python -m benchmarks $(ARGS)

bench-peers: setup ## Make the environments of the peers that `make bench` compares with
	$(BIN)/python -m benchmarks.peers $(ARGS)

# Folder of the trainings' state: started again they go on from it, and a new folder begins from nothing.
DEMO_STATE ?= data/demo-training

demo-models: setup ## Train the demo models from fixed seeds (hours on two cores; goes on where it was interrupted)
	@$(MAKE) -j 2 demo-chat demo-image demo-voice

demo-chat:
	$(BIN)/python -m gpu_workers.demo.chat_training --state $(DEMO_STATE)/chat --out gpu_workers/demo/chat

demo-image:
	$(BIN)/python -m gpu_workers.demo.image_training --state $(DEMO_STATE)/image --out gpu_workers/demo/image --threads 1

demo-voice:
	$(BIN)/python -m gpu_workers.demo.voice_training --state $(DEMO_STATE)/voice --out gpu_workers/demo/voice --threads 1

eval-demo: setup ## Examine the demo models and show their work in docs/demo (ARGS="chat --share 0.2")
	$(BIN)/python -m gpu_workers.demo.evaluation --docs docs/demo $(ARGS)

screens: setup ## Take pictures of every page for docs/screens (needs chromium)
	$(BIN)/python -m tests.e2e.screens
