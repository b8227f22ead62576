"""kselftest.py CARD [TEST...]: the kernel's own driver tests (tools/testing/selftests/drivers/net) on two of our cards, joined.

The far card lives in a network namespace of the same guest; the wire is the stream backend, which takes no offloads: what
the card asks for, port/ does in software, frame by frame."""
import re

from cards import CARDS
from harness import main

NET = "/src/tools/testing/selftests/drivers/net"
TESTS = ["ping.py", "stats.py", "queues.py", "hw/csum.py", "hw/tso.py"]
# What a driver cannot do on any card.
EXPECTED = {
    ("igb", "stats.check_pause"): "the driver has no pause statistics",
    ("igc", "stats.check_pause"): "the driver has no pause statistics",
}
# It reads statistics while queues come and go. Neither driver can pass it, as both forget their counters then, and igb of 7.3.4 may take
# the kernel with it: igb_update_stats reads rings that igb_set_channels has freed (address 0x80).
NOT_FOR_THESE = "procfs_downup_hammer"
# hw/csum.py's receiver listens for a second or two from its own start, however much has come; its sender starts after that, and here both
# are programs of an emulated machine.
LISTEN_SECONDS = 5
NO_QSTATS = "qstats_get"  # tso.py counts with per-queue statistics, and asks without a way out


def edit(guest, test, edits, wanted, count):
    """A test's text; `wanted` is in so many lines of it then."""
    guest.sh(f"sed -i '{edits}' {NET}/{test}; [ $(grep -c -e '{wanted}' {NET}/{test}) = {count} ]")


def join(lab, card):
    path = lab.folder + "/wire"
    guest = lab.guest(nics=[f"{card.spec},id=near,backend=stream,path={path},mode=server",
                            f"{card.spec},id=far,backend=stream,path={path},mode=client"],
                      kernel="kselftest", memory=("-m", "1G"), cpus=2)
    near = guest.sh(f"bring_up {card.driver} 1")
    far = guest.sh(f"bring_up {card.driver} 2")
    guest.sh(f"await 10 carrier {near}; await 10 carrier {far}")
    guest.sh("bash <<E\n"  # Debian's programs, not those of busybox
             "set -e\nip netns add far\n"
             "sysctl -q net.ipv6.conf.all.keep_addr_on_down=1\n"  # stats.py takes the interface down
             f"ip link set {far} netns far\nip -n far link set lo up\nip -n far link set {far} up\n"
             f"ip addr add 192.0.2.1/24 dev {near}\nip addr add 2001:db8::1/64 dev {near} nodad\n"
             f"ip -n far addr add 192.0.2.2/24 dev {far}\nip -n far addr add 2001:db8::2/64 dev {far} nodad\nE")
    guest.sh("await 10 answers 192.0.2.2")
    guest.sh(f"cat >{NET}/net.config <<E\nNETIF={near}\nLOCAL_V4=192.0.2.1\nLOCAL_V6=2001:db8::1\n"
             "REMOTE_V4=192.0.2.2\nREMOTE_V6=2001:db8::2\nREMOTE_TYPE=netns\nREMOTE_ARGS=far\nE\n"
             f"cp {NET}/net.config {NET}/hw/")
    # half a second for 65,000 bytes there and back; 0.49 s were seen beside load, and its short IPv6 ones have five
    edit(guest, "ping.py", "s/ -W0\\.5 / -W5 /", " -W5 ", 8)
    edit(guest, "hw/csum.py", f"s/ -L 1 / /; s/ -n 100 / -L {LISTEN_SECONDS}&/", f"-L {LISTEN_SECONDS} -n 100", 4)
    edit(guest, "stats.py", f"s/^[[:space:]]*{NOT_FOR_THESE}]/]/", NOT_FOR_THESE, 1)
    return guest


def run(lab, guest, driver, test):
    """How many of its cases passed."""
    folder, file = f"{NET}/{test}".rsplit("/", 1)
    text = guest.sh(f"cd {folder} && PYTHONDONTWRITEBYTECODE=1 python3 ./{file} 2>&1 || true", timeout=600)
    if NO_QSTATS in text and "not supported" in text and "Totals" not in text:
        lab.say(f"--  {test}: not for {driver}, which has no per-queue statistics")
        return 0
    passed = 0
    for word, name, more in re.findall(r"^(ok|not ok) \d+ (\S+)(.*)$", text, re.MULTILINE):
        if word == "not ok" and (driver, name) not in EXPECTED:
            lab.say(text)
            lab.check(False, f"{name} passes")
        if word == "not ok":
            lab.say(f"--  {name}: {EXPECTED[driver, name]}")
        else:
            lab.say(f"ok: {name}{more}")
            passed += not more
    lab.check("# Totals:" in text, f"{test} came to its end" if "# Totals:" in text else text)
    return passed


def scenario(lab, name, *tests):
    card = CARDS[name]
    guest = join(lab, card)
    passed = sum(run(lab, guest, card.driver, test) for test in tests or TESTS)
    lab.check(passed > 0, f"{passed} cases passed")


main(scenario)
