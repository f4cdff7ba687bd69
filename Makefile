# SPDX-License-Identifier: Apache-2.0
# Thin: each target is one line a person could type. A fresh Debian 12 with git and make is enough;
# what else is needed is installed by cmake/packages.sh.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
DEMO = build/release/bin/sluice launch launch/demo.yaml

.PHONY: help demo build test bench fuzz format install deb clean

help:
	@echo "make demo     a simulated lidar, two consumers, a picture (about half a minute)"
	@echo "make test     every test: release, address and thread sanitizer, arm64, style"
	@echo "make build    only build, into build/release"
	@echo "make bench    the measurements that README quotes"
	@echo "make fuzz     every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) seconds (clang)"
	@echo "make format   clang-format over all C files"
	@echo "make deb      Debian packages, into build/release/packages"
	@echo "make install  into PREFIX=$(PREFIX), DESTDIR is respected"

build/release/build.ninja:
	@cmake/packages.sh build
	@echo "configure: build/release"
	@mkdir -p build
	@cmake --preset release > build/configure.log || { cat build/configure.log; exit 1; }

# Ninja knows best what is up to date; the rule above is for the first time only.
build: build/release/build.ninja
	@echo "build: build/release"
	@cmake --build --preset release

demo: build/release/build.ninja
	@echo "build: build/release (programs only)"
	@cmake --build --preset release --target programs
	@echo "demo: $(DEMO)"
	@$(DEMO)
	@for picture in demo-out/*.png; do [ ! -e "$$picture" ] || echo "picture: $$picture"; done

test:
	@tests/run.sh

bench: build
	@build/release/bin/sluice bench bus
	@build/release/bin/sluice bench lidar
	@build/release/bin/sluice bench pollution
	@build/release/bin/sluice bench record
	@build/release/bin/sluice bench play
	@build/release/bin/sluice bench dds

fuzz:
	@cmake/packages.sh fuzz
	@tests/fuzz/run.sh $(FUZZ_SECONDS)

format:
	@cmake/packages.sh test
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs -r clang-format -i

install: build
	@cmake --install build/release --prefix "$(PREFIX)"

deb: build
	@cmake/packages.sh deb
	@cd build/release && cpack
	@ls build/release/packages/*.deb

clean:
	@cmake -E rm -rf build demo-out
