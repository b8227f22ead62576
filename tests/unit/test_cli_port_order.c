/* Which ports can be taken out of a guest that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/port_order.h"
#include "cli/service.h"

int guest_prepare_port(struct guest *more, const struct guest *guest,
		       const struct guest_request *request, const struct port_spec *present,
		       unsigned count, struct error *err)
{
	(void)more;
	(void)guest;
	(void)request;
	(void)present;
	(void)count;
	return error_set(err, -EINVAL, "nothing comes here");
}

void guest_give_back_networks(const struct guest *guest)
{
	(void)guest;
}

bool port_change_is_coming(const struct port_change *c)
{
	return c->stage == PORT_STAGE_COMING;
}

static const struct port_spec both = {
	.id = "net1",
	.policy = POLICY_SWITCH,
	.nics = 2,
	.nic = { { .id = "old", .model = "rtl8139", .role = ROLE_LEGACY },
		 { .id = "new", .model = "virtio-net", .role = ROLE_PERFORMANT } },
};

static struct service *begin(void)
{
	static struct port_spec spec[PORTS_MAX];
	static struct guest guest;
	struct service *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	spec[0] = both;
	s->spec = spec;
	s->options = (struct service_options){
		.name = "vm1", .ports = spec, .count = 1, .guest = &guest
	};
	s->monitor = (struct qmp_client *)s; /* there is one */
	return s;
}

static int remove_it(const struct service *s, struct error *err)
{
	const struct port_order order = { .remove = true, .port = "net1" };

	*err = (struct error){ 0 };
	return port_order_remove(s, &order, err);
}

static void a_card_that_would_end_qemu_is_not_taken_out(void **state)
{
	struct service *s = begin();
	struct error err;

	(void)state;
	assert_int_equal(remove_it(s, &err), -ENOTSUP); /* of QEMU's line */
	s->changes.port[0].stage = PORT_STAGE_THERE;
	s->changes.port[0].card[0].state = s->changes.port[0].card[1].state = PLUG_IN;
	assert_int_equal(remove_it(s, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "new: QEMU (11.1) ends with a fault"));
	free(s);
}

/* `plug` said so itself: "old is in the guest, next: `anynic unplug vm1 net1`". */
static void one_that_never_came_is_in_nobodys_way(void **state)
{
	struct service *s = begin();
	struct error err;

	(void)state;
	s->changes.port[0].stage = PORT_STAGE_THERE;
	s->changes.port[0].card[0].state = PLUG_IN;
	s->changes.port[0].card[1].state = PLUG_OUT;
	assert_int_equal(remove_it(s, &err), 0);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_that_would_end_qemu_is_not_taken_out),
		cmocka_unit_test(one_that_never_came_is_in_nobodys_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
