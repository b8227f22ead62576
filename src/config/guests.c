#include "config/guests.h"

#include <stdio.h>
#include <string.h>

/* Sources that several rows share. */
#define KERNEL	"https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git"
#define OSINFO	"https://gitlab.com/libosinfo/osinfo-db"
#define VBOX	"https://docs.oracle.com/en/virtualization/virtualbox/6.0/user/nichardware.html"
#define VMWARE	"https://knowledge.broadcom.com/external/article?legacyId=1001805"
#define FREEBSD "https://man.freebsd.org/cgi/man.cgi?query="
#define OPENBSD "https://man.openbsd.org/"
#define NETBSD	"https://man.netbsd.org/"
#define MS8	"https://learn.microsoft.com/en-us/previous-versions/windows/embedded/"

/* A transitional card is driven by old and new virtio drivers, also behind a root port. */
#define OLD_VIRTIO ",rev=0"

#define NEEDS_NETKVM                                                                               \
	"virtio-net needs NetKVM of virtio-win: the port moves to it when it is installed"

const struct guest_row guest_rows[] = {
	{ "linux-2.4", "Linux 2.4 to 2.6.24", 2001, "rtl8139 e1000", "",
	  "e1000 from 2.4.19 on; no virtio-net yet", KERNEL " " VMWARE },
	{ "linux-2.6", "Linux 2.6.25 to 3.19", 2008, "e1000e e1000 igb igbvf rtl8139 virtio-net",
	  OLD_VIRTIO, "82574L and 82576 by 2.6.28, igbvf from 2.6.30 on; virtio-net before 1.0",
	  KERNEL " " VBOX },
	{ "linux-4", "Linux 4.0 to 5.9", 2015, "e1000e e1000 igb igbvf rtl8139 virtio-net", "",
	  "virtio 1.0; kernels made for clouds may have virtio-net only", KERNEL " " OSINFO },
	{ "linux-5.10", "Linux 5.10 and later", 2020,
	  "e1000e e1000 igb igbvf igc rtl8139 virtio-net", "",
	  "igc from 4.20 on, its I226 from 5.10 on; kernels made for clouds may have virtio-net "
	  "only",
	  KERNEL "/log/drivers/net/ethernet/intel/igc/igc_hw.h " OSINFO },
	{ "windows-xp", "Windows XP", 2001, "rtl8139", "",
	  "RTL8139 is in netrtsnt.inf; about e1000 the sources disagree; " NEEDS_NETKVM,
	  VBOX " " VMWARE },
	{ "windows-2003", "Windows Server 2003, XP x64", 2003, "e1000 rtl8139", "", NEEDS_NETKVM,
	  VMWARE " " OSINFO },
	{ "windows-vista", "Windows Vista, Server 2008", 2006, "e1000 rtl8139", "", NEEDS_NETKVM,
	  VBOX " " OSINFO },
	{ "windows-7", "Windows 7, Server 2008 R2", 2009, "e1000e e1000 rtl8139", "", NEEDS_NETKVM,
	  OSINFO },
	{ "windows-8", "Windows 8 and 8.1, Server 2012 and R2", 2012, "e1000e igb e1000 rtl8139",
	  "", NEEDS_NETKVM,
	  MS8 "jj963144(v=winembedded.81) " MS8 "jj979509(v=winembedded.81) " OSINFO },
	{ "windows-10", "Windows 10, Server 2016 and 2019", 2015, "e1000e igb e1000", "",
	  "no driver for rtl8139; " NEEDS_NETKVM,
	  OSINFO " https://www.qemu.org/docs/master/system/devices/igb.html" },
	{ "windows-11", "Windows 11, Server 2022 and later", 2021, "e1000e igb e1000", "",
	  "no driver for rtl8139; about igc nothing is confirmed; " NEEDS_NETKVM,
	  OSINFO " https://www.qemu.org/docs/master/system/devices/igb.html" },
	{ "freebsd-4", "FreeBSD 4.4 to 8", 2001, "e1000 rtl8139", "",
	  "em(4) drives e1000, rl(4) and re(4) rtl8139", FREEBSD "em " FREEBSD "rl" },
	{ "freebsd-9", "FreeBSD 9.0 to 13.0", 2012, "e1000e e1000 igb rtl8139 virtio-net",
	  OLD_VIRTIO, "", FREEBSD "vtnet " FREEBSD "em " OSINFO },
	{ "freebsd-13", "FreeBSD 13.1 and later", 2022, "e1000e e1000 igb igc rtl8139 virtio-net",
	  "", "", FREEBSD "igc " FREEBSD "vtnet " FREEBSD "em" },
	{ "openbsd-3", "OpenBSD 3.2 to 5.2", 2002, "e1000 rtl8139", "",
	  "em(4) drives e1000, rl(4) and re(4) rtl8139", OPENBSD "em.4 " OPENBSD "rl.4" },
	{ "openbsd-5", "OpenBSD 5.3 to 7.3", 2013, "e1000e e1000 rtl8139 virtio-net", OLD_VIRTIO,
	  "", OPENBSD "vio.4 " OPENBSD "em.4" },
	{ "openbsd-7", "OpenBSD 7.4 and later", 2023, "e1000e e1000 igc rtl8139 virtio-net",
	  OLD_VIRTIO, "igc(4) is there since 7.1, without I226", OPENBSD "igc.4 " OPENBSD "vio.4" },
	{ "netbsd-1", "NetBSD 1.6 to 5", 2002, "e1000 rtl8139", "",
	  "wm(4) drives e1000, rtk(4) and re(4) rtl8139", NETBSD "wm.4 " NETBSD "rtk.4" },
	{ "netbsd-6", "NetBSD 6 to 9", 2012, "e1000e e1000 rtl8139 virtio-net", OLD_VIRTIO, "",
	  NETBSD "vioif.4 " NETBSD "wm.4" },
	{ "netbsd-10", "NetBSD 10 and later", 2024, "e1000e e1000 igc rtl8139 virtio-net",
	  OLD_VIRTIO, "igc(4) is called experimental", NETBSD "igc.4 " NETBSD "vioif.4" },
	{ "macos-10", "Mac OS X 10.6 to macOS 10.15", 2009, "e1000-82545em", "",
	  "it knows this kind of e1000 only; virtio-net needs a driver from elsewhere",
	  "https://www.contrib.andrew.cmu.edu/~somlo/OSXKVM/" },
	{ "macos-11", "macOS 11 and later, x86", 2020, "e1000-82545em virtio-net", "",
	  "it knows this kind of e1000 only", "https://github.com/johncolby/macos-kvm/issues/1" },
	{ "illumos", "illumos, OmniOS", 2010, "e1000", "", "e1000g(4D) drives e1000",
	  "https://github.com/omniosorg/omnios-wiki/blob/master/VirtualBoxNotes.md" },
	{ "reactos", "ReactOS 0.4.11 and later", 2019, "e1000 rtl8139", "", "",
	  "https://github.com/reactos/reactos/tree/master/drivers/network/dd" },
	{ "zephyr", "Zephyr 1.14 and later", 2019, "e1000", "", "with CONFIG_ETH_E1000",
	  "https://docs.zephyrproject.org/1.14.0/reference/kconfig/CONFIG_NET_QEMU_ETHERNET.html" },
	{ "dos", "DOS", 1981, "", "",
	  "a packet driver from elsewhere is needed; there are some for rtl8139 and e1000",
	  "http://www.georgpotthast.de/sioux/packet.htm" },
	{ "ipxe", "iPXE", 2010, "e1000e e1000 igb igbvf igc rtl8139 virtio-net", "",
	  "the all-drivers ROM has these, QEMU's option ROMs one driver each; igc in versions "
	  "after November 2025, so not in that of Debian 13",
	  "https://ipxe.org/appnote/hardware_drivers https://github.com/ipxe/ipxe/pull/1565" },
	{ "edk2", "EDK2, OVMF, AAVMF", 2013, "virtio-net", "",
	  "any other card boots with an option ROM (romfile=)",
	  "https://github.com/tianocore/edk2/tree/master/OvmfPkg/VirtioNetDxe" },
	{ "dpdk", "DPDK", 2014, "igb igc e1000e e1000 igbvf virtio-net", "", "",
	  "https://doc.dpdk.org/guides/nics/e1000em.html https://doc.dpdk.org/guides/nics/igb.html "
	  "https://doc.dpdk.org/guides/nics/igc.html "
	  "https://doc.dpdk.org/guides/nics/virtio.html" },
};
const unsigned guest_row_count = ARRAY_SIZE(guest_rows);

/* The next word of a list of words; NULL at its end. */
static const char *next_word(const char *at, char *to, size_t size)
{
	at += strspn(at, " ");
	size_t len = strcspn(at, " ");

	if (len == 0)
		return NULL;
	snprintf(to, size, "%.*s", (int)len, at);
	return at + len;
}

/* "igc-i225-lm" is a card of the family "igc": the same driver. */
static bool same_family(const char *family, const char *model)
{
	size_t len = strlen(family);

	return strncmp(family, model, len) == 0 && (model[len] == '\0' || model[len] == '-');
}

bool guest_knows(const struct guest_row *row, const char *model)
{
	char word[32];

	for (const char *at = row->cards; (at = next_word(at, word, sizeof(word)));)
		if (same_family(word, model))
			return true;
	return false;
}

void guest_recommend(const struct guest_row *row, const struct known *known, char *to, size_t size)
{
	char word[32];

	for (const char *at = row->cards; (at = next_word(at, word, sizeof(word)));) {
		const struct known_model *model = known_model_find(known, word);

		if (!model || !model->legacy)
			continue;
		bool usual = strcmp(word, "rtl8139") == 0; /* what `auto` takes by itself */
		snprintf(to, size, "auto%s%s%s", usual ? "" : ",legacy=", usual ? "" : word,
			 row->keys);
		return;
	}
	snprintf(to, size, "auto%s", row->keys);
}

bool guest_is_named(const struct guest_row *row, const char *name)
{
	size_t len = strlen(name);

	return len > 0 && strncmp(row->name, name, len) == 0 &&
	       (row->name[len] == '\0' || row->name[len] == '-');
}
