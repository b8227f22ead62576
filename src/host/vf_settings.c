#include "host/vf_settings.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

int vf_place_find(struct netlink *nl, const char *sys, const struct pci_function *f,
		  struct vf_place *out, struct error *err)
{
	struct pci_function pf;
	struct link l;

	*out = (struct vf_place){ 0 };
	int number = sriov_number(sys, f->pf, f->pci);
	int rc = number < 0 ? number : pci_function_read(sys, f->pf, &pf, err);
	if (rc < 0)
		return error_set(err, rc, "%s is no virtual function of %s", f->pci, f->pf);
	if (!pf.netdev[0] || netlink_find(nl, pf.netdev, &l) < 0)
		return error_set(
			err, -ENODEV,
			"%s cannot be set up: its physical function %s has no network device "
			"here (driver %s); next: give it back to its own driver, in this "
			"network namespace",
			f->pci, f->pf, pf.driver[0] ? pf.driver : "none");
	*out = (struct vf_place){ .device = l.index, .up = l.up, .number = (unsigned)number };
	str_copy(out->pf, sizeof(out->pf), l.name);
	return 0;
}

static int of_tristate(enum tristate wish)
{
	return wish == TRISTATE_DEFAULT ? -1 : wish == TRISTATE_ON;
}

void vf_settings_for(const struct nic_spec *nic, enum link_wish link, struct vf_settings *out)
{
	static const int states[] = { [LINK_AUTO] = -1,
				      [LINK_UP] = IFLA_VF_LINK_STATE_ENABLE,
				      [LINK_DOWN] = IFLA_VF_LINK_STATE_DISABLE };

	*out = (struct vf_settings){ .vlan = MAX(nic->vlan, 0),
				     .qos = MAX(nic->qos, 0),
				     .spoofchk = of_tristate(nic->spoofchk),
				     .trust = of_tristate(nic->trust),
				     .link_state = states[link] };
	memcpy(out->mac, nic->mac, MAC_LEN);
}

static bool differs(enum vf_setting which, const struct vf_settings *wanted,
		    const struct vf_settings *now)
{
	switch (which) {
	case VF_MAC:
		return memcmp(wanted->mac, now->mac, MAC_LEN) != 0;
	case VF_VLAN:
		return wanted->vlan >= 0 && (wanted->vlan != MAX(now->vlan, 0) ||
					     MAX(wanted->qos, 0) != MAX(now->qos, 0));
	case VF_SPOOFCHK:
		return wanted->spoofchk >= 0 && wanted->spoofchk != now->spoofchk;
	case VF_TRUST:
		return wanted->trust >= 0 && wanted->trust != now->trust;
	case VF_LINK_STATE:
		return wanted->link_state >= 0 && wanted->link_state != now->link_state;
	case VF_SETTING_COUNT:
		break;
	}
	return false;
}

static bool is_needed(enum vf_setting which, const struct vf_settings *wanted)
{
	return which == VF_MAC || (which == VF_VLAN && wanted->vlan > 0);
}

static void add_word(char *to, size_t size, const char *word)
{
	size_t at = strlen(to);

	(void)snprintf(to + at, size - at, "%s%s", at ? ", " : "", word);
}

static int refuse(const struct netlink *nl, const struct vf_place *at, enum vf_setting which,
		  int rc, struct error *err)
{
	return error_set(err, rc, "%s of function %u cannot be set through %s: %s%s%s%s",
			 vf_setting_names[which], at->number, at->pf, strerror(-rc),
			 nl->said[0] ? ": " : "", nl->said,
			 rc == -EPERM || rc == -EACCES ? "; next: run as root" : "");
}

int vf_settings_set(struct netlink *nl, const struct vf_place *at, const struct vf_settings *wanted,
		    const struct vf_settings *before, char *skipped, size_t size, struct error *err)
{
	skipped[0] = '\0';
	for (enum vf_setting which = 0; which < VF_SETTING_COUNT; which++) {
		int rc = differs(which, wanted, before)
				 ? netlink_set_vf(nl, at->device, at->number, which, wanted)
				 : 0;

		if (rc == -EOPNOTSUPP && !is_needed(which, wanted)) {
			add_word(skipped, size, vf_setting_names[which]);
		} else if (rc < 0) {
			refuse(nl, at, which, rc, err);
			while (which-- > 0)
				if (differs(which, wanted, before))
					(void)netlink_set_vf(nl, at->device, at->number, which,
							     before);
			return rc;
		}
	}
	return 0;
}

void vf_settings_format(const struct vf_settings *s, char *text, size_t size)
{
	(void)snprintf(text, size, "vlan %d qos %d spoofchk %d trust %d link %d", s->vlan, s->qos,
		       s->spoofchk, s->trust, s->link_state);
}

bool vf_settings_parse(const char *text, struct vf_settings *s)
{
	return sscanf(text, "vlan %d qos %d spoofchk %d trust %d link %d", &s->vlan, &s->qos,
		      &s->spoofchk, &s->trust, &s->link_state) == 5;
}
