#include "qemu/options.h"

#include "base/util.h"

/* QEMU 7.2 to 11.1, of all targets. */
static const char *const flags[] = {
	"h", "help", "version", "snapshot", "usb", "full-screen", "win2k-hack", "no-fd-bootchk", "preconfig", "S", "s",
	"enable-kvm", "xen-attach", "xen-domid-restrict", "no-reboot", "no-shutdown", "daemonize", "only-migratable", "nodefaults",
	"no-user-config", "enable-sync-profile", "perfmap", "jitdump", "mem-prealloc", "nographic", "no-acpi", "no-hpet",
	"singlestep", "one-insn-per-tb", "semihosting", "old-param", "sdl", "curses", "audio-help", "async-teardown", "portrait",
	"enable-fips", "no-kvm", "tdf",
};

static const char *const takers[] = {
	"machine", "M", "cpu", "accel", "smp", "numa", "add-fd", "set", "global", "boot", "m", "mem-path", "k", "audio", "audiodev",
	"soundhw", "device", "name", "uuid", "fda", "fdb", "hda", "hdb", "hdc", "hdd", "cdrom", "blockdev", "drive", "mtdblock",
	"pflash", "sd", "fsdev", "virtfs", "iscsi", "usbdevice", "display", "spice", "vga", "g", "vnc", "rotate", "acpitable",
	"smbios", "netdev", "nic", "net", "chardev", "tpmdev", "bios", "kernel", "shim", "append", "initrd", "dtb", "compat",
	"fw_cfg", "serial", "parallel", "monitor", "qmp", "qmp-pretty", "mon", "debugcon", "pidfile", "overcommit", "gdb", "d",
	"D", "dfilter", "seed", "L", "xen-domid", "action", "loadvm", "option-rom", "rtc", "icount", "watchdog", "watchdog-action",
	"echr", "virtioconsole", "incoming", "chroot", "runas", "prom-env", "semihosting-config", "sandbox", "readconfig", "trace",
	"plugin", "qtest", "qtest-log", "msg", "dump-vmstate", "object", "run-with", "cxl-fixed-memory-window",
};

enum qemu_option_kind qemu_option_kind(const char *name)
{
	if (name_find(takers, ARRAY_SIZE(takers), name) >= 0)
		return QEMU_OPTION_TAKES;
	if (name_find(flags, ARRAY_SIZE(flags), name) >= 0)
		return QEMU_OPTION_FLAG;
	return QEMU_OPTION_UNKNOWN;
}
