# The front door. Everything real is in meson.build and tools/.
BUILD ?= build

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja: | setup
	@meson setup $(BUILD) >/dev/null

setup:
	@tools/setup build

.PHONY: all setup
