# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CONTROLPLANE := bin/etcd bin/kube-apiserver bin/kube-controller-manager
# What the sandbox runs: those, Google's own Ingress controllers, and what people type.
WORLD := $(CONTROLPLANE) bin/ingress-gce bin/kubectl
ETCD := 3.7.0
KUBERNETES := v1.37.2
INGRESSGCE := v1.37.0
PROMETHEUS := 3.16.0
# The servers report their version from these; kubectl cannot parse an unstamped one.
STAMP := k8s.io/component-base/version
LDFLAGS := -s -w -X $(STAMP).gitVersion=$(KUBERNETES) -X $(STAMP).gitMajor=1 -X $(STAMP).gitMinor=37 \
	-X $(STAMP).gitCommit=unknown -X $(STAMP).gitTreeState=archive -X $(STAMP).buildDate=1970-01-01T00:00:00Z
# Says what is being compiled, so that twelve silent minutes do not look stuck.
PROGRESS := awk '{n++} n % 50 == 0 {print "  " n " packages compiled"; fflush()} /^(go:|\#|.*: )/ {print; fflush()}'

# For lists in function arguments.
comma := ,

# $(call obtain,PROGRAM,VERSION,COMMAND): the program that this machine already has, in
# the directory that KUBEBUILDER_ASSETS names or in bin/; otherwise COMMAND builds it.
# The one in KUBEBUILDER_ASSETS may differ in the patch version.
obtain = @has() { [ -x "$$1" ] && { "$$1" --version || "$$1" version --client; } 2>&1 | grep -qF "$$2"; }; \
	if has "$${KUBEBUILDER_ASSETS:-/nowhere}/$(1)" "$(basename $(2))."; then \
		echo "using $(1) of $$KUBEBUILDER_ASSETS"; ln -sfn "$$(realpath "$$KUBEBUILDER_ASSETS")/$(1)" bin/$(1); \
	elif has bin/$(1) "$(2)"; then \
		echo "using bin/$(1), which is $(2)"; touch bin/$(1); \
	else $(3); fi

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(WORLD) bin/turnout bin/sandbox ## Run the main job on this machine: merge, promote, rollback
	bin/sandbox demo

.PHONY: up
up: $(WORLD) bin/turnout bin/sandbox ## Start the whole world on this machine and keep it
	bin/sandbox up

.PHONY: test
test: $(WORLD) bin/prometheus bin/turnout ## Run all tests; of the deployer's crash table the cells of the day
	@echo "of the deployer's crash table, the cells of CRASH_CELLS=$$(date +%j)"
	CRASH_CELLS=$$(date +%j) go test -timeout 40m ./...
	cd sandbox && go test -count=1 -timeout 20m ./... # Go does not see that bin/turnout has changed
	cd tools/checks && go test ./...
	cd tools/house && go test -count=1 ./... # Go does not see that what it measures has changed

.PHONY: crash
crash: $(CONTROLPLANE) ## Run all cells of the deployer's crash table, of which make test runs a slice a day
	CRASH_CELLS=all go test -count=1 -timeout 100m -run 'TestEveryEffectMay(Fail|ComeLate)$$' ./deployer

# How long make fuzz gives each target.
FUZZTIME ?= 10m

.PHONY: fuzz
fuzz: $(CONTROLPLANE) ## Fuzz every target in turn, each for FUZZTIME (10 minutes)
	@grep -rnoE '^func Fuzz\w+' --include=*_test.go . | while IFS=: read -r file line name; do \
		name=$${name#func }; echo "== $$name in $$(dirname $$file)"; \
		go test $$(dirname $$file) -run XXX -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -parallel 1 || exit 1; \
	done

.PHONY: conformance
conformance: $(CONTROLPLANE) ## Run the Gateway API's own conformance suite against the sandbox's stand-in for GKE's Gateways
	cd tools/conformance && go test -count=1 -timeout 20m .

.PHONY: test-long
test-long: $(WORLD) bin/prometheus bin/turnout ## Run the tests that wait for the clocks of Google's own controllers and metrics, an older version, and crashes while workers move: 30 minutes
	cd sandbox && go test -tags long -count=1 -timeout 30m -run 'TestOutage|TestLetThroughUnhealthy' -v ./windows
	cd sandbox && go test -tags long -count=1 -timeout 30m -run 'TestLateMetrics|TestOldAndNewReplicas|TestTasksSurviveACrash' -v ./scenario

# The system's packages without which some tests are skipped: the setup page in a browser, the examples with
# Flask, and with Django and PostgreSQL.
PACKAGES := chromium gunicorn python3-flask python3-django python3-psycopg2 postgresql

.PHONY: packages
packages: ## Install the Debian packages without which some tests are skipped; asks sudo unless root
	@missing=$$(for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	as=$$( ((EUID == 0)) || echo sudo); \
	[ -z "$$missing" ] || { $$as apt-get update -q && $$as apt-get install -yq --no-install-recommends $$missing; }

.PHONY: lint
lint: bin/golangci-lint bin/controller-gen ## Check style, and that generated files are current
	bin/golangci-lint run
	cd sandbox && ../bin/golangci-lint run --config ../.golangci.yml
	cd tools/checks && ../../bin/golangci-lint run --config ../../.golangci.yml
	cd tools/house && ../../bin/golangci-lint run --config ../../.golangci.yml
	cd tools/conformance && ../../bin/golangci-lint run --config ../../.golangci.yml
	fresh=$$(mktemp -d) && trap "rm -rf $$fresh" EXIT && \
	bin/controller-gen object paths=./api/... output:dir=$$fresh && \
	bin/controller-gen crd paths=./api/... output:dir=$$fresh && \
	bin/controller-gen rbac:roleName=turnout paths=./deployer output:dir=$$fresh && \
	for f in api/v1alpha1/zz_generated.deepcopy.go config/crd/*.yaml config/rbac/role.yaml; do \
		diff "$$f" "$$fresh/$$(basename "$$f")" || { echo "$$f is not current: run make generate" >&2; exit 1; }; \
	done

.PHONY: generate
generate: bin/controller-gen ## Make CRDs, RBAC and deepcopy anew
	bin/controller-gen object crd paths=./api/... output:crd:artifacts:config=config/crd
	bin/controller-gen rbac:roleName=turnout paths=./deployer output:rbac:artifacts:config=config/rbac

.PHONY: house
house: ## Measure how the code is laid out; OUTPUT=json for programs, WHY=deployer for what ties a package's files together
	@cd tools/house && go run . -C ../.. $(if $(OUTPUT),-o $(OUTPUT)) $(if $(WHY),-why $(WHY))

# For the measurements: N is how many of each, OUT the file for the result.
.PHONY: bench-latency
bench-latency: $(WORLD) bin/turnout bin/sandbox ## Measure reaction times; writes docs/bench/latency.json
	bin/sandbox bench-latency --n $(or $(N),20) --out $(or $(OUT),docs/bench/latency.json)

.PHONY: bench-switch
bench-switch: $(WORLD) bin/turnout bin/sandbox ## Measure what users lose at a cut-over; writes docs/bench/switch.json
	bin/sandbox bench-switch --n $(or $(N),10) $(if $(SPEED),--speed $(SPEED)) --out $(or $(OUT),docs/bench/switch.json)

# SEED runs a storm again.
.PHONY: chaos
chaos: $(WORLD) bin/turnout bin/sandbox ## Release while Turnout's replicas crash and stall and all that they talk to fails: 20 minutes; writes docs/bench/chaos.json
	bin/sandbox chaos --n $(or $(N),50) --seed $(or $(SEED),0) --out $(or $(OUT),docs/bench/chaos.json)

# APPLICATIONS, PER_NAMESPACE and FINISHED are lists; 0 a namespace: all in one. BURST are released at once. PEER
# is the command of a controller to compare with, and PEER_FLAGS what it needs (bin/sandbox bench-scale --help).
.PHONY: bench-scale
bench-scale: $(CONTROLPLANE) bin/turnout bin/sandbox ## Measure many applications, with simulated pods; writes docs/bench/scale.json
	bin/sandbox bench-scale --n $(or $(N),10) --applications $(or $(APPLICATIONS),100$(comma)500) --per-namespace $(or $(PER_NAMESPACE),10$(comma)0) \
		--finished-releases $(or $(FINISHED),0) --foreign-pods $(or $(FOREIGN_PODS),0) --burst $(or $(BURST),100) \
		$(if $(PEER),--peer "$(PEER)" $(PEER_FLAGS)) --out $(or $(OUT),docs/bench/scale.json)

.PHONY: bench-many
bench-many: $(CONTROLPLANE) bin/turnout bin/sandbox ## Measure what ten thousand applications cost at rest; adds to docs/bench/scale.json
	bin/sandbox bench-scale --bare --add --applications $(or $(APPLICATIONS),10000) --per-namespace $(or $(PER_NAMESPACE),100) \
		--out $(or $(OUT),docs/bench/scale.json)

.PHONY: bench-webhook
bench-webhook: $(CONTROLPLANE) bin/turnout bin/sandbox ## Measure a flood of webhooks, with a slow API server, too; writes docs/bench/webhook.json
	bin/sandbox bench-webhook --per-second $(or $(PER_SECOND),500) --for $(or $(FOR),60s) --slower $(or $(SLOWER),10) \
		--out $(or $(OUT),docs/bench/webhook.json)

.PHONY: controlplane
controlplane: $(WORLD) bin/prometheus ## Build or find etcd, kube-apiserver, kube-controller-manager, kubectl, ingress-gce and prometheus

bin:
	mkdir -p $@

bin/etcd: tools/controlplane/go.mod | bin
	$(call obtain,etcd,$(ETCD),echo "building etcd (the first time: about a minute)" && \
	cd tools/controlplane && CGO_ENABLED=0 go build -v -trimpath -ldflags '$(LDFLAGS)' -o ../../$@ go.etcd.io/etcd/server/v3 2>&1 | $(PROGRESS))

bin/kube-apiserver bin/kube-controller-manager bin/kubectl: bin/%: tools/controlplane/go.mod | bin
	$(call obtain,$*,$(KUBERNETES),echo "building $* (the first time: several minutes; Go's build cache keeps it)" && \
	cd tools/controlplane && CGO_ENABLED=0 go build -v -trimpath -ldflags '$(LDFLAGS)' -o ../../$@ k8s.io/kubernetes/cmd/$* 2>&1 | $(PROGRESS))

# Never with -race: it is Google's program, unchanged.
bin/ingress-gce: tools/ingress-gce/go.mod | bin
	$(call obtain,ingress-gce,$(INGRESSGCE),echo "building ingress-gce (the first time: about 5 minutes; Go's build cache keeps it)" && \
	cd tools/ingress-gce && CGO_ENABLED=0 go build -v -trimpath -ldflags '-s -w -X k8s.io/ingress-gce/pkg/version.Version=$(INGRESSGCE)' -o ../../$@ k8s.io/ingress-gce/cmd/glbc 2>&1 | $(PROGRESS))

# Without its user interface, whose files npm builds, and without finding targets in clouds.
bin/prometheus: tools/prometheus/go.mod | bin
	$(call obtain,prometheus,$(PROMETHEUS),echo "building prometheus (the first time: about 2 minutes; Go's build cache keeps it)" && \
	cd tools/prometheus && CGO_ENABLED=0 go build -v -trimpath -tags remove_all_sd -ldflags '-s -w -X github.com/prometheus/common/version.Version=$(PROMETHEUS)' -o ../../$@ github.com/prometheus/prometheus/cmd/prometheus 2>&1 | $(PROGRESS))

# Go's build cache knows better than file times what must be built again.
.PHONY: bin/turnout bin/sandbox
bin/turnout:
	go build -o $@ ./cmd/turnout

bin/sandbox:
	@echo "building the sandbox"
	cd sandbox && go build -v -o ../$@ ./cmd/sandbox 2>&1 | $(PROGRESS)

bin/golangci-lint: tools/go.mod
	@echo "building golangci-lint (the first time: several minutes)"
	cd tools && go build -v -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint 2>&1 | $(PROGRESS)

bin/controller-gen: tools/go.mod
	cd tools && go build -o ../$@ sigs.k8s.io/controller-tools/cmd/controller-gen
