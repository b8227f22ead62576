# The front door. Everything real is in meson.build and tools/.
BUILD  ?= build
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)
	@ln -sfn src/cli/anynic $(BUILD)/anynic

$(BUILD)/build.ninja:
	@tools/setup build
	@meson setup $(BUILD) >/dev/null

# boots a real guest with an `auto` port and shows the switch; needs no root
demo:
	@tools/setup demo
	@$(MAKE) --no-print-directory all
	@tools/demo

# everything that this machine can run; the last line is "N passed, N failed, N skipped"
check:
	@tools/setup check
	@tools/run-checks

# the scenarios that are too slow for check; ANYNIC_LONG=1 gives either of the two more rounds
check-long:
	@tools/setup check
	@tools/run-checks long

bench:
	@tools/setup bench
	@tools/run-bench

fuzz:
	@tools/setup fuzz
	@tools/run-fuzz

lint:
	@tools/setup lint
	@tools/lint

# a build of its own: the prefix is part of the program. DESTDIR is honoured.
install:
	@tools/setup build
	@[ -f build-install/build.ninja ] || meson setup build-install --buildtype=release -Db_lto=true -Dtests=false >/dev/null
	@meson configure build-install --prefix=$(PREFIX)
	@meson install -C build-install --quiet

clean:
	@rm -rf build build-asan build-fuzz build-install build-bench build-analyzer

.PHONY: all demo check check-long bench fuzz lint install clean
