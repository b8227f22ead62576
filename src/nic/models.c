/* models.c - the explicit list of models: the only place that names them all. */
#include <string.h>

#include "nic/e1000/models.h"
#include "nic/e1000e/ops.h"
#include "nic/igb/igb.h"
#include "nic/igb/vf.h"
#include "nic/igc/ops.h"
#include "nic/nic.h"
#include "nic/rtl8139/rtl8139.h"
#include "nic/virtio/virtio_net.h"

/* from the oldest to the fastest: as people read them */
/* clang-format off */
const struct nic_ops *const nic_models[] = {
	&rtl8139_ops,
	&e1000_ops,
	&e1000_82545em_ops,
	&e1000_82544gc_ops,
	&e1000e_ops,
	&igb_ops,
	&igbvf_ops,
	&igc_ops,
	&igc_i226_lm_ops,
	&igc_i225_v_ops,
	&igc_i225_lm_ops,
	&virtio_net_ops,
};
/* clang-format on */

const unsigned nic_model_count = ARRAY_SIZE(nic_models);

const struct nic_ops *nic_model_find(const char *name)
{
	for (unsigned i = 0; i < nic_model_count; i++)
		if (strcmp(nic_models[i]->name, name) == 0)
			return nic_models[i];
	return NULL;
}

int nic_models_prepare(struct error *err)
{
	for (unsigned i = 0; i < nic_model_count; i++)
		for (struct reg_space *const *space = nic_models[i]->spaces; *space; space++) {
			int rc = reg_space_prepare(*space, err);
			if (rc < 0)
				return rc;
		}
	return 0;
}
