# Everything runs on the Node that the lockfile names, whatever the machine has.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Up to date when it is newer than the lockfile; npm writes it last.
INSTALLED := node_modules/.package-lock.json

$(INSTALLED): package-lock.json
	@sh tools/dev/system-libraries.sh
	npm ci --no-audit --no-fund --loglevel=error
	@touch $(INSTALLED)

.PHONY: help
help: ## The targets, one line each
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

.PHONY: demo
demo: $(INSTALLED) ## The main job: from nothing to a confirmed order, hop by hop on the screen
	@node tools/dev/demo.ts

.PHONY: up
up: $(INSTALLED) ## Start the whole stack in the background and return when it is healthy (TOPOLOGY=single: one process)
	@node tools/dev/up.ts

.PHONY: down
down: $(INSTALLED) ## Stop the stack; its data stays
	@node tools/dev/down.ts

.PHONY: logs
logs: $(INSTALLED) ## Follow the logs of everything in the stack
	@node tools/dev/logs.ts

.PHONY: test
test: $(INSTALLED) ## All tests, on engines of their own; ONLY=path for some
	@vitest run --project parts $(if $(ONLY),--passWithNoTests) $(ONLY)
	@vitest run --project 'end to end' $(if $(ONLY),--passWithNoTests) $(ONLY)

.PHONY: check
check: $(INSTALLED) ## Types, lint, format, layers, contracts, breaking changes, stored events, docs, gen is fresh
	@tsc -p .
	@tsc -p services/edge/storefront
	@biome check --error-on-warnings .
	@buf lint
	@buf format --diff --exit-code
	@node tools/check/breaking.ts
	@node tools/check/contracts.ts
	@node tools/check/event-contracts.ts
	@node tools/check/gen-fresh.ts
	@node tools/check/docs.ts

.PHONY: k8s
k8s: $(INSTALLED) ## Render and validate the Kubernetes manifests
	@node tools/k8s/main.ts

.PHONY: gen
gen: $(INSTALLED) ## Regenerate gen/ and mesh/gen/ from proto/
	@buf generate
	@buf generate --template mesh/buf.gen.yaml

.PHONY: release-image
release-image: $(INSTALLED) ## Renew what breaking changes are measured against; when a release is cut
	@node tools/check/release-image.ts

.PHONY: events-record
events-record: $(INSTALLED) ## Record events that are new or have new fields, for make check to hold them to it
	@node tools/check/events-record.ts

.PHONY: format
format: $(INSTALLED) ## Format code and contracts, mend what the linter can
	@biome check --write .
	@buf format -w

.PHONY: bench
bench: $(INSTALLED) ## Measure, as ratios: calls through the mesh by grpc-js and others; product reads with the cache by without; orders by their bare SQL (QUICK=1, ONLY=calls|memory|reads|orders, PROFILE=dir)
	@node tools/bench/main.ts

.PHONY: faults
faults: $(INSTALLED) ## Kill, freeze, cut off and overload the shop under load, and check its books (SMOKE=1, SEED=, ONLY=, FRESH=1)
	@node tools/faults/main.ts

.PHONY: clean
clean: down ## Stop the stack and delete its data
	rm -rf .weft
