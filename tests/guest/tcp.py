"""tcp.py CARD [KERNEL]: ping and 64 MiB (with another kernel, and with the slowest card, 16) of TCP each way, over the user backend and over a tap; every byte is summed."""
import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import main

MIB, LESS = 64, 16
SLOW = "8139too"  # several register accesses for each frame, and each is a message between two processes


def both_ways(lab, guest, host, source, sink, over):
    mib = source.size >> 20
    guest.sh(f"await 5 answers {host}")
    got = guest.probe("tcp-get", host, source.port)
    lab.equal((int(got["bytes"]), got["crc"]), (source.size, f"{source.crc:08x}"),
              f"{mib} MiB to the guest over {over}: {source.size * 8e-6 / float(got['seconds']):.0f} Mbit/s")
    sent = guest.probe("tcp-put", host, sink.port, source.size)
    lab.equal(sent["seen"], sent["crc"],
              f"{mib} MiB from the guest over {over}: {source.size * 8e-6 / float(sent['seconds']):.0f} Mbit/s")


def scenario(lab, name, kernel="6.1"):
    card = CARDS[name]
    machine.make_tap()
    source, sink = servers.Source((LESS if kernel != "6.1" or name == SLOW else MIB) << 20), servers.Sink()
    guest = lab.guest(nics=[f"{card.spec},id=u,backend=user", f"{card.spec},id=t,backend=tap,ifname=tap0"], kernel=kernel)
    over_user, over_tap = card.up(guest, 1), card.up(guest, 2)
    guest.sh(f"dhcp {over_user}")
    both_ways(lab, guest, "10.0.2.2", source, sink, "user")
    guest.sh(f"static {over_tap} {GUEST}/24")
    both_ways(lab, guest, HOST, source, sink, "tap")
    for port in () if guest.peer else ("u", "t"):
        lab.say(f"{port}: {guest.port(port)['counters']}")


main(scenario)
