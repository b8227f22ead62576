/* known_for_tests.h - a small world of models and backends, so that the tests of config/ do not change when a model comes. */
#ifndef ANYNIC_TESTS_KNOWN_H
#define ANYNIC_TESTS_KNOWN_H

#include "config/known.h"

static const struct known_model test_models[] = {
	{ "rtl8139", "old", .legacy = true, .queues_max = 1, .revs = { 0x10, 0x20 } },
	{ "virtio-net", "fast", .performant = true, .express = true, .packed = true,
	  .queues_max = 8, .mtu_max = 65535 },
	{ "middling", "both", .legacy = true, .performant = true, .queues_max = 2, .mtu_max = 9000,
	  .revs = { 5 }, .rev_zero = true },
	{ "express", "new", .express = true, .queues_max = 1 },
	{ "igbvf", "virtual", .express = true, .vf_policy = true, .queues_max = 1 },
	{ "hostdev", "the host's", .express = true, .vf_policy = true, .queues_max = 1 },
};

static const struct known_backend test_backends[] = {
	{ "user", "", " net hostfwd tftp bootfile " },
	{ "tap", "", " ifname fd " },
	{ "null", "", NULL },
	{ "stream", "", " path mode fd " },
	{ "bridge", "", " br ifname " },
	{ "direct", "", " dev mode ifname fd " },
	{ "passt", "", " path hostfwd net dev " },
	{ "hostdev", "", " dev " },
};

static inline void test_bridges(char *to, size_t size)
{
	str_copy(to, size, "br8, br9");
}

static const struct known test_known = { test_models, ARRAY_SIZE(test_models), test_backends,
					 ARRAY_SIZE(test_backends), test_bridges };

#endif
