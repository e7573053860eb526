# The few commands there are. Without a goal, `make` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
IMAGE := $(TARGET)/client-image/orchestrator-client.tar
BALANCER_IMAGE := $(TARGET)/balancer-image/orchestrator-balancer.tar
APPLICATION_IMAGES := $(TARGET)/application-images/python-web-1.tar $(TARGET)/application-images/python-web-2.tar

# Network namespaces are for root alone. Cargo builds as whoever calls, and runs what it built by this.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env $(if $(CI),--non-interactive))
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
RUN_AS_ROOT := $(if $(AS_ROOT),CARGO_TARGET_$(HOST)_RUNNER="$(AS_ROOT)")

# Where it is installed, nextest runs the tests that need no lab: each in a process of its own, all at once.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
# Tests of the lab: they need root. Each of these programs is one process, whose tests share an engine, a database
# server or a site. `.config/nextest.toml` has the same list, and a test compares them.
LAB_TESTS := system conformance client systemd files dnsmasq platform
LAB_PACKAGES := orchestrator-plugin-docker orchestrator-plugin-exec orchestrator-oci orchestrator-lab
# Packages whose program `kernel` needs root, and no other.
KERNEL_PACKAGES := orchestrator-balancer orchestrator-host orchestrator-network orchestrator-quota
# The other packages that have programs of tests, for where there is no nextest.
NO_ROOT_PACKAGES := orchestrator-fuzz $(filter-out $(LAB_PACKAGES) $(KERNEL_PACKAGES), \
	$(patsubst crates/%/tests,orchestrator-%,$(wildcard crates/*/tests)) \
	$(patsubst plugins/%/tests,orchestrator-plugin-%,$(wildcard plugins/*/tests)))

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## watch a client boot and reach a container of its own; ENGINE=oci runs it by runc; KEEP=1 leaves it up to look around in
	@tests/lab/deps demo
	@$(MAKE) --no-print-directory root image
	$(CARGO) build --release --package orchestrator --package orchestrator-oci --package orchestrator-lab --bins
	@$(AS_ROOT) $(TARGET)/release/demo $(TARGET)/release/orchestrator $(IMAGE)

.PHONY: platform
platform: ## watch a platform in a box: a balancer, names, two applications, a roll under load; ENGINE=oci, KEEP=1 as for demo
	@tests/lab/deps platform
	@$(MAKE) --no-print-directory root balancer-image application-images
	$(CARGO) build --release --package orchestrator --package orchestrator-oci --package orchestrator-lab --bins
	@$(AS_ROOT) $(TARGET)/release/platform $(TARGET)/release/orchestrator $(BALANCER_IMAGE) $(APPLICATION_IMAGES)

.PHONY: test
test: ## formatting, lints and all tests: unit, property, and of the whole with real engines and clients
	@tests/lab/deps test
	@$(MAKE) --no-print-directory root check image
ifeq ($(NEXTEST),yes)
	@failed=0; set -x; \
	$(RUN_AS_ROOT) $(CARGO) nextest run --workspace --profile no-root || failed=1; \
	$(RUN_AS_ROOT) $(CARGO) test --no-fail-fast --package orchestrator $(LAB_TESTS:%=--test %) --test store || failed=1; \
	$(RUN_AS_ROOT) $(CARGO) test --no-fail-fast $(LAB_PACKAGES:%=--package %) --test '*' || failed=1; \
	$(RUN_AS_ROOT) $(CARGO) test --no-fail-fast $(KERNEL_PACKAGES:%=--package %) --test kernel || failed=1; \
	$(CARGO) test --workspace --doc || failed=1; \
	exit $$failed
else
	$(RUN_AS_ROOT) $(CARGO) test --workspace --no-fail-fast
endif
	@$(MAKE) --no-print-directory sweep

.PHONY: quick
quick: ## the tests that need neither root nor packages: logic, protocol, API, SQLite; under two minutes once they are built
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --workspace --profile no-root
else
	$(CARGO) test --workspace --lib --bins --quiet
	$(CARGO) test $(NO_ROOT_PACKAGES:%=--package %) --test '*' --quiet
	$(CARGO) test --package orchestrator-host --test plans --test fake --quiet
	$(CARGO) test --package orchestrator --test api --test architecture --test hook --test init --test terminal --quiet
	$(CARGO) test --package orchestrator --test store --quiet -- sqlite --skip failures:: --skip lost::
endif
	$(CARGO) test --workspace --doc --quiet

.PHONY: check
check: ## formatting, lints and documentation, warnings as errors; licenses and sources where cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' $(CARGO) doc --workspace --no-deps --document-private-items --quiet
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check --hide-inclusion-graph licenses bans sources; \
	else echo 'cargo-deny is not installed, so licenses and sources go unchecked'; fi

.PHONY: openapi
openapi: ## write docs/openapi.json and docs/exec-schema.json anew, from the code
	UPDATE_OPENAPI=1 $(CARGO) test --quiet --package orchestrator-api --test openapi
	UPDATE_OPENAPI=1 $(CARGO) test --quiet --package orchestrator-plugin-exec --test exec schema::

.PHONY: deny
deny: ## licences, bans and sources of all dependencies; installs cargo-deny where it is missing
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check --hide-inclusion-graph licenses bans sources

.PHONY: bench
bench: ## measure, each against its yardstick in the same run
	@tests/lab/deps test
	@$(MAKE) --no-print-directory root
	$(RUN_AS_ROOT) $(CARGO) bench --workspace --bench '*'
	@$(MAKE) --no-print-directory sweep

.PHONY: bench-dhcp6
bench-dhcp6: ## DHCPv6 against Kea and dnsmasq; QUICK=1 is short, PARTS and ONLY choose, JSON=file keeps the figures
	@tests/lab/deps bench
	@$(MAKE) --no-print-directory root
	$(CARGO) build --release --package orchestrator --package orchestrator-load --bins
	@$(AS_ROOT) $(TARGET)/release/bench-dhcp6 $(TARGET)/release/orchestrator $(if $(QUICK),--quick) \
		$(if $(ONLY),--only $(ONLY)) $(if $(PARTS),--parts $(PARTS)) $(if $(JSON),--json $(JSON))
	@$(MAKE) --no-print-directory sweep

.PHONY: bench-engines
bench-engines: ## Docker, Podman and runc side by side, and what the daemon adds to each; QUICK=1 is short, ONLY chooses
	@tests/lab/deps test
	@$(MAKE) --no-print-directory root
	$(CARGO) build --release --package orchestrator --package orchestrator-oci --package orchestrator-load --bins
	@$(AS_ROOT) $(TARGET)/release/bench-engines $(TARGET)/release/orchestrator $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))
	@$(MAKE) --no-print-directory sweep

.PHONY: bench-limits
bench-limits: ## what an attacker on a port of his own takes from honest clients; QUICK=1 is short
	@tests/lab/deps test
	@$(MAKE) --no-print-directory root
	$(CARGO) build --release --package orchestrator --package orchestrator-oci --package orchestrator-load --bins
	@$(AS_ROOT) $(TARGET)/release/bench-limits $(TARGET)/release/orchestrator $(if $(QUICK),--quick)
	@$(MAKE) --no-print-directory sweep

.PHONY: bench-isolation
bench-isolation: ## what the rules of isolation cost, and the front door; QUICK=1 is short, JSON=file keeps the figures
	@tests/lab/deps test
	@$(MAKE) --no-print-directory root
	$(CARGO) build --release --package orchestrator --package orchestrator-load --bins
	@$(AS_ROOT) $(TARGET)/release/bench-isolation $(TARGET)/release/orchestrator $(if $(QUICK),--quick) \
		$(if $(JSON),--json $(JSON))
	@$(MAKE) --no-print-directory sweep

.PHONY: bench-dns
bench-dns: ## DNS answers against knotd and dnsmasq, and how long a name takes to be right; QUICK=1 is short, JSON=file keeps the figures
	@tests/lab/deps bench
	@$(MAKE) --no-print-directory root
	$(CARGO) build --release --package orchestrator --package orchestrator-load --bins
	@$(AS_ROOT) $(TARGET)/release/bench-dns $(TARGET)/release/orchestrator $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))
	@$(MAKE) --no-print-directory sweep

.PHONY: bench-services
bench-services: ## services against the bare engine, a roll under 2,000 requests/s, a thousand services, and bench-dns; ENGINE=docker, QUICK=1, PARTS
	@tests/lab/deps bench
	@tests/lab/deps test
	@$(MAKE) --no-print-directory root balancer-image
	$(CARGO) build --release --package orchestrator --package orchestrator-oci --package orchestrator-load --bins
	$(if $(PARTS),,@$(AS_ROOT) $(TARGET)/release/bench-dns $(TARGET)/release/orchestrator $(if $(QUICK),--quick))
	@$(AS_ROOT) $(TARGET)/release/bench-services $(TARGET)/release/orchestrator $(BALANCER_IMAGE) $(if $(QUICK),--quick) \
		$(if $(ENGINE),--engine $(ENGINE)) $(if $(PARTS),--parts $(PARTS)) $(if $(JSON),--json $(JSON))
	@$(MAKE) --no-print-directory sweep

.PHONY: bench-bridges
bench-bridges: ## wire 3,000 instances on one link: what the last costs against the first
	@$(MAKE) --no-print-directory root
	$(RUN_AS_ROOT) $(CARGO) bench --package orchestrator-network --bench bridges

.PHONY: fuzz
fuzz: ## fuzz the protocol, TIME=600 seconds each; ONLY="frame server" chooses
	@tests/lab/deps fuzz
	@CARGO=$(CARGO) fuzz/run $(or $(TIME),600) $(ONLY)

.PHONY: image
image: ## build the image orchestrator/client, with your public key, as an archive for docker load
	@tests/lab/deps demo
	@mkdir -p $(dir $(IMAGE))
	$(AS_ROOT) docker/client/build --output $(IMAGE)

.PHONY: balancer-image
balancer-image: ## build the image orchestrator/balancer, HAProxy, as an archive for docker load
	@tests/lab/deps demo
	@mkdir -p $(dir $(BALANCER_IMAGE))
	$(AS_ROOT) docker/balancer/build --output $(BALANCER_IMAGE)

.PHONY: application-images
application-images: ## build the images python-web:1 and python-web:2 of examples/python-web, as archives for docker load
	@mkdir -p $(dir $(firstword $(APPLICATION_IMAGES)))
	VERSION=1 examples/python-web/build --output $(word 1,$(APPLICATION_IMAGES))
	VERSION=2 examples/python-web/build --output $(word 2,$(APPLICATION_IMAGES))

.PHONY: deps
deps: ## install the Debian packages that the tests need, and say what for
	@tests/lab/deps test

# Says early, and not after minutes of building, that what follows needs root.
.PHONY: root
root:
	@$(AS_ROOT) true || { echo 'This makes network namespaces: run it as root, or as one who may sudo.' >&2; exit 77; }

# What killed tests left, and what guards are still removing.
.PHONY: sweep
sweep:
	@$(AS_ROOT) sh tests/lab/src/guard.sh sweep "$${TMPDIR:-/tmp}"
