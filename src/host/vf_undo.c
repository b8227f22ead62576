#include "host/vf_undo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "host/vf_settings.h"
#include "host/vfio.h"

#define NO_NAME "-" /* of a driver: none */

static void begin(struct undo_step *step, enum undo_kind kind, const char *pci)
{
	*step = (struct undo_step){ .kind = kind };
	str_copy(step->name, sizeof(step->name), pci);
}

void vf_undo_pool(struct undo_step *step, const char *pci, const char *guest, const char *port)
{
	begin(step, UNDO_POOL, pci);
	str_copy(step->text, sizeof(step->text), guest);
	str_copy(step->port, sizeof(step->port), port);
}

static const char *or_none(const char *name)
{
	return name[0] ? name : NO_NAME;
}

void vf_undo_driver(struct undo_step *step, const struct pci_function *before)
{
	begin(step, UNDO_DRIVER, before->pci);
	(void)snprintf(step->text, sizeof(step->text), "driver %s override %s",
		       or_none(before->driver), or_none(before->override));
}

void vf_undo_settings(struct undo_step *step, const char *pci, const struct vf_settings *wanted,
		      const struct vf_settings *before)
{
	begin(step, UNDO_VF, pci);
	memcpy(step->mac, wanted->mac, MAC_LEN);
	memcpy(step->old_mac, before->mac, MAC_LEN);
	vf_settings_format(before, step->text, sizeof(step->text));
}

static void from_none(char *name)
{
	if (strcmp(name, NO_NAME) == 0)
		name[0] = '\0';
}

int vf_driver_give_back(const struct vf_host *host, const struct undo_step *step, struct error *err)
{
	char driver[32], override[32];

	if (sscanf(step->text, "driver %31s override %31s", driver, override) != 2)
		return 0;
	from_none(driver);
	from_none(override);
	return vfio_unbind(host->sys, host->dev, step->name, driver, override, err);
}

/* A guest that is trusted may have chosen a MAC of its own: that function is still ours. */
bool vf_settings_are_anothers(const struct undo_step *step, const struct vf_settings *now)
{
	return now->trust != 1 && memcmp(now->mac, step->mac, MAC_LEN) != 0 &&
	       memcmp(now->mac, step->old_mac, MAC_LEN) != 0;
}

bool vf_is_anothers(const struct vf_host *host, const struct undo_step *step)
{
	struct vf_settings now;
	struct pci_function f;
	struct vf_place at;
	struct netlink nl;

	if (pci_function_read(host->sys, step->name, &f, NULL) < 0 || !f.pf[0] ||
	    netlink_open(&nl, NULL) < 0)
		return false;
	bool told = vf_place_find(&nl, host->sys, &f, &at, NULL) == 0 &&
		    netlink_get_vf(&nl, at.device, at.number, &now) == 0;
	netlink_close(&nl);
	return told && vf_settings_are_anothers(step, &now);
}

/* What the driver told before, and what it does not tell stays. */
static int set_back(struct netlink *nl, const struct vf_place *at, const struct vf_settings *before,
		    const char *pci, struct error *err)
{
	struct vf_settings now;
	char skipped[80];
	int rc = netlink_get_vf(nl, at->device, at->number, &now);

	if (rc == 0)
		rc = vf_settings_set(nl, at, before, &now, skipped, sizeof(skipped), err);
	if (rc == 0)
		return 1;
	return error_set(err, rc,
			 "%s cannot be set back: %s; next, as root: ip link set %s vf %u mac ... "
			 "vlan %d",
			 pci, strerror(-rc), at->pf, at->number, MAX(before->vlan, 0));
}

/* A function that never had a MAC has zeros, which some drivers do not take back: then ours stays, and is nobody's. */
int vf_settings_give_back(const struct vf_host *host, const struct undo_step *step,
			  struct error *err)
{
	struct vf_settings before;
	struct pci_function f;
	struct vf_place at;
	struct netlink nl;

	if (!vf_settings_parse(step->text, &before) ||
	    pci_function_read(host->sys, step->name, &f, NULL) < 0 || !f.pf[0])
		return 0;
	memcpy(before.mac, step->old_mac, MAC_LEN);
	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = vf_place_find(&nl, host->sys, &f, &at, err);
	if (rc == 0)
		rc = set_back(&nl, &at, &before, step->name, err);
	if (rc == -EINVAL && mac_is_zero(before.mac)) {
		memcpy(before.mac, step->mac, MAC_LEN);
		rc = set_back(&nl, &at, &before, step->name, err);
	}
	netlink_close(&nl);
	return rc;
}
