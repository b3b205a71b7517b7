# Hearth. `make help` lists the targets.
#
# Every step says what it does, and a step that fails says which one it was and why. Works as root and through sudo.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

JOBS ?= 2
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share
UNITDIR = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
PYTHON ?= /usr/bin/python3
# The Swift tests that are run in user-mode Linux too, by name.
UML_TESTS ?= FloorTests|CgroupLimits|UML
UML_TIMEOUT ?= 900
BENCH_RESULTS ?= .build/bench
T ?= 60
FUZZ ?=
BENCH_AGAINST ?= floor,floor.netns,exec,bwrap,crun,runc

# Generic code of one module is specialised in another: 2 of 58 us of a warm echo (hearth-bench invoke, pinned).
OPTIMIZE ?= -Xswiftc -cross-module-optimization

# sudo has a PATH of its own: look for the toolchain where it usually is.
ifeq ($(shell command -v swift 2>/dev/null),)
export PATH := $(PATH):/opt/swift/usr/bin:/usr/local/swift/usr/bin:$(if $(SUDO_USER),$(shell getent passwd $(SUDO_USER) | cut -d: -f6)/.local/share/swiftly/bin)
endif

# Programs without Swift's runtime, and programs with it. The latter are linked with it statically, so that they run
# where no toolchain is; the former cannot be (the flag is not for Embedded Swift), so each product is built by itself.
FREESTANDING := $(notdir $(wildcard $(addprefix Sources/,hearth-nursery hearth-floor hearth-stamp)))
HOSTED := $(notdir $(wildcard $(addprefix Sources/,hearthd hearth hearth-bench hearth-coordinator)))
SWIFT_FILES = find Sources Tests Package.swift -name '*.swift' -not -path '*/Generated/*' -print0
PYTHON_TESTS := $(wildcard protocol/python/tests rootfs-tools/runtimes/tests)
# Traces for the tests that want them; without, those tests say that they are skipped.
HEARTH_DATA ?= $(wildcard $(abspath ../shared/data))
ifneq ($(HEARTH_DATA),)
export HEARTH_DATA
endif

say = printf '\033[1m==> %s\033[0m\n' "$(1)"
ifneq ($(NO_COLOR)$(CI),)
say = printf '==> %s\n' "$(1)"
endif
# $(call step,what it does,command)
step = @$(call say,$(1)); { $(2); } || { status=$$?; printf 'make $@: failed: %s (status %d)\n' "$(1)" $$status >&2; exit $$status; }

.PHONY: help deps build run run-uml test test-swift test-python test-uml fuzz weaken bench install uninstall format lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

deps: ## install the Debian packages that are missing
	$(call step,looking for missing Debian packages,rootfs-tools/install/install.sh)

build: deps ## release executables in bin/
	@mkdir -p bin
	@for product in $(FREESTANDING); do \
	    $(call say,building $$product); \
	    swift build -c release -j $(JOBS) --product $$product || \
	        { echo "make build: $$product failed; the compiler's message is above" >&2; exit 1; }; \
	done
	@for product in $(HOSTED); do \
	    $(call say,building $$product); \
	    swift build -c release -j $(JOBS) --product $$product --static-swift-stdlib $(OPTIMIZE) || \
	        { echo "make build: $$product failed; the compiler's message is above" >&2; exit 1; }; \
	done
	@for product in $(FREESTANDING) $(HOSTED); do install -m 755 .build/release/$$product bin/$$product; done
	$(call step,compiling the runtimes' bootstraps,rootfs-tools/runtimes/prepare)
	@$(call say,bin/ has: $(FREESTANDING) $(HOSTED))

run: build ## an agent, the example functions, and what they answer
	$(call step,running the demonstration,rootfs-tools/demo/run.sh)
	$(call step,one function at each start kind,$(PYTHON) rootfs-tools/demo/starts.py --binaries bin --count 5)

run-uml: build ## the same in user-mode Linux, where the limits of cgroup v2 are real
	$(call step,running the demonstration in user-mode Linux,Tests/uml/run.sh --timeout $(UML_TIMEOUT) -- rootfs-tools/demo/run.sh)

test: deps test-swift test-python test-uml ## every test, the ones in user-mode Linux too
	@$(call say,all tests passed)

test-swift: ## the Swift tests on this machine's kernel
	$(call step,building the tests,swift build --build-tests -j $(JOBS))
	$(call step,running the Swift tests,swift test --skip-build --disable-xctest)

test-python: ## the tests of the protocol's Python client and of the runtimes' bootstraps
	@for directory in $(PYTHON_TESTS); do \
	    if ! compgen -G "$$directory/test*.py" >/dev/null; then continue; fi; \
	    $(call say,running the Python tests in $$directory); \
	    (cd "$$(dirname "$$directory")" && PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m unittest discover -s tests) || \
	        { echo "make test-python: the tests in $$directory failed" >&2; exit 1; }; \
	done

test-uml: ## the tests that need the whole of cgroup v2, in user-mode Linux
	$(call step,checking the harness of user-mode Linux,Tests/uml/check.sh)
	$(call step,running the tests that match $(UML_TESTS) in user-mode Linux,Tests/uml/run-tests.sh --timeout $(UML_TIMEOUT) '$(UML_TESTS)')

fuzz: deps ## each fuzz target for T seconds (60); FUZZ="frames traces" for some of them
	$(call step,fuzzing for $(T) s a target,JOBS=$(JOBS) Tests/Fuzz/fuzz.sh --seconds $(T) $(FUZZ))

weaken: deps ## takes each defence of a sandbox away in turn: is a test red? (half an hour)
	$(call step,taking defences away,Tests/EscapeTests/weaken.py --jobs $(JOBS))

bench: build ## every benchmark, and the budgets beside what was measured
	@mkdir -p "$(BENCH_RESULTS)"
	$(call step,creating a sandbox,bin/hearth-bench create --json --against $(BENCH_AGAINST) >"$(BENCH_RESULTS)/create.json")
	$(call step,invoking,bin/hearth-bench invoke --json >"$(BENCH_RESULTS)/invoke.json")
	$(call step,creating and ending as fast as it goes,bin/hearth-bench churn --json >"$(BENCH_RESULTS)/churn.json")
	$(call step,weighing sandboxes,bin/hearth-bench density --json >"$(BENCH_RESULTS)/density.json")
	$(call step,frames and messages,bin/hearth-bench wire --json >"$(BENCH_RESULTS)/wire.json")
	$(call step,one forecast event,bin/hearth-bench forecast --parts engine --data . --json >"$(BENCH_RESULTS)/forecast.json")
	@for bench in create invoke churn density wire; do $(call say,$$bench); bin/hearth-bench table "$(BENCH_RESULTS)/$$bench.json"; done
	$(call step,the budgets; the reports are in $(BENCH_RESULTS),bin/hearth-bench budgets "$(BENCH_RESULTS)")

install: ## executables, bootstraps and systemd units under PREFIX (/usr/local) and DESTDIR; after make build
	@[ -x bin/hearthd ] || { echo "make install: bin/hearthd is not there; run make build first" >&2; exit 1; }
	@install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(DATADIR)/hearth" "$(DESTDIR)$(UNITDIR)" "$(DESTDIR)$(SYSUSERSDIR)"
	$(call step,installing the executables in $(DESTDIR)$(BINDIR),install -s -m 755 bin/* "$(DESTDIR)$(BINDIR)/")
	@rm -rf "$(DESTDIR)$(DATADIR)/hearth/runtimes"
	$(call step,installing the bootstraps in $(DESTDIR)$(DATADIR)/hearth/runtimes,cp -r --no-preserve=ownership rootfs-tools/runtimes "$(DESTDIR)$(DATADIR)/hearth/" && rm -rf "$(DESTDIR)$(DATADIR)/hearth/runtimes/tests" && find "$(DESTDIR)$(DATADIR)/hearth" -name __pycache__ -prune -exec rm -rf {} +)
	$(call step,installing the seccomp profiles in $(DESTDIR)$(DATADIR)/hearth/seccomp,rm -rf "$(DESTDIR)$(DATADIR)/hearth/seccomp" && cp -r --no-preserve=ownership rootfs-tools/seccomp "$(DESTDIR)$(DATADIR)/hearth/")
	$(call step,installing the analysers in $(DESTDIR)$(DATADIR)/hearth/analyze,rm -rf "$(DESTDIR)$(DATADIR)/hearth/analyze" && cp -r --no-preserve=ownership rootfs-tools/analyze "$(DESTDIR)$(DATADIR)/hearth/")
	$(call step,installing the priors in $(DESTDIR)$(DATADIR)/hearth/priors,rm -rf "$(DESTDIR)$(DATADIR)/hearth/priors" && cp -r --no-preserve=ownership rootfs-tools/priors "$(DESTDIR)$(DATADIR)/hearth/")
	$(call step,compiling the installed bootstraps,"$(DESTDIR)$(DATADIR)/hearth/runtimes/prepare")
	@chmod -R u=rwX,go=rX "$(DESTDIR)$(DATADIR)/hearth"
	@for unit in hearthd.service hearth-nursery.service hearth-metrics.service; do \
	    sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@DATADIR@|$(DATADIR)|g' rootfs-tools/systemd/$$unit.in \
	        >"$(DESTDIR)$(UNITDIR)/$$unit"; \
	done
	@install -m 644 rootfs-tools/systemd/hearth-nursery.socket rootfs-tools/systemd/hearth-metrics.timer "$(DESTDIR)$(UNITDIR)/"
	@install -D -m 644 rootfs-tools/monitoring/alerts.yml "$(DESTDIR)$(DATADIR)/hearth/alerts.yml"
	@install -m 644 rootfs-tools/systemd/hearth.sysusers.conf "$(DESTDIR)$(SYSUSERSDIR)/hearth.conf"
	@for shell in bash:bash-completion/completions/hearth zsh:zsh/site-functions/_hearth fish:fish/vendor_completions.d/hearth.fish; do \
	    file="$(DESTDIR)$(DATADIR)/$${shell#*:}"; \
	    if script=$$(bin/hearth --generate-completion-script "$${shell%%:*}" 2>/dev/null); then \
	        install -d "$$(dirname "$$file")"; printf '%s\n' "$$script" >"$$file"; \
	    fi; \
	done
	@$(call say,now: systemd-sysusers && systemctl daemon-reload && systemctl enable --now hearthd)

uninstall: ## what install has put there
	@for file in bin/*; do rm -f "$(DESTDIR)$(BINDIR)/$$(basename $$file)"; done
	@rm -rf "$(DESTDIR)$(DATADIR)/hearth"
	@rm -f "$(DESTDIR)$(DATADIR)"/{bash-completion/completions/hearth,zsh/site-functions/_hearth,fish/vendor_completions.d/hearth.fish}
	@rm -f "$(DESTDIR)$(UNITDIR)"/{hearthd.service,hearth-nursery.service,hearth-nursery.socket,hearth-metrics.service,hearth-metrics.timer} "$(DESTDIR)$(SYSUSERSDIR)/hearth.conf"
	@$(call say,uninstalled from $(DESTDIR)$(PREFIX))

format: ## format the Swift files in place
	$(call step,formatting,$(SWIFT_FILES) | xargs -0 swift format format --in-place --parallel)

lint: ## check the format and the style of the Swift files
	$(call step,checking the format,$(SWIFT_FILES) | xargs -0 swift format lint --strict --parallel)
	$(call step,checking the shell scripts,find .ci/run Tests rootfs-tools -name '*.sh' -o -path '.ci/run' | while read -r script; do bash -n "$$script" || exit 1; done)

clean: ## remove what was built
	$(call step,removing .build and .build-fuzz and bin,rm -rf .build .build-fuzz bin)
