"""ptp.py CARD: the card's clock as /dev/ptpN: it runs, is set, stepped, made faster and slower; PTP messages get a stamp when they
leave and when they come, and each stamp lies between two reads of the clock around it."""
import socket
import threading
import time

import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import main

RATES = {  # parts per billion: what each driver allows is more
    "e1000e": (0, 20_000_000, -20_000_000),
    "igb": (0, 100_000_000, -100_000_000),
    "igc": (0, 50_000_000, -50_000_000),
}
FILTER = {"e1000e": "all", "igb": "event", "igc": "all"}  # the 82576 stamps PTP only
COUNT = 50
SLACK = 10**7  # ns: two clocks that nobody holds together
PTP = 0x88F7


def echo_ethernet():
    """Sends each PTP frame of the guest back, as another clock would send its own."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(PTP))
    raw.bind(("tap0", PTP))

    def run():
        while True:
            frame, address = raw.recvfrom(2048)
            if address[2] != socket.PACKET_OUTGOING:
                raw.send(frame[:6] + bytes.fromhex("02000000aa01") + frame[12:])

    threading.Thread(target=run, daemon=True).start()


def clock(lab, guest, device, rates):
    def ask(what, *words):
        """The card's clock, and the guest's before and after that."""
        return {name: int(value) for name, value in guest.probe_card(what, device, *words).items()}

    first = ask("phc-get")
    time.sleep(0.2)
    lab.check(ask("phc-get")["ns"] > first["ns"], "the clock runs")
    seen = ask("phc-set", 1_000_000_000)
    lab.check(-SLACK <= seen["ns"] - 10**18 <= seen["to"] - seen["from"] + SLACK, f"set to 2001, it reads {seen['ns']}")
    for step in (3_500_000_000, -2_000_000_001, 86_400_000_000_000):
        before = ask("phc-get")
        after = ask("phc-step", step)
        passed = after["ns"] - before["ns"] - step
        lab.check(-SLACK <= passed <= after["to"] - before["from"] + SLACK, f"a step of {step} ns took {passed / 1e6:.1f} ms")
    for ppb in rates:
        seen = int(guest.probe_card("phc-rate", device, ppb, 1000)["ppb"])
        lab.check(abs(seen - ppb) < 1_000_000, f"told to run {ppb / 1e6:+.1f} per mille faster, it runs {seen / 1e6:+.3f}")
    guest.probe_card("phc-rate", device, 0, 1)


def scenario(lab, name, kernel="6.12"):
    card = CARDS[name]
    machine.make_tap()
    echo = servers.UdpEcho(HOST, 319)
    guest = lab.guest(nics=[f"{card.spec},backend=tap,ifname=tap0"], kernel=kernel,
                      files={"bin/card_probe": (machine.BUILD / "tests/guest/card_probe").read_bytes()})
    nic = card.up(guest)
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    device = "/dev/" + guest.sh(f"ls /sys/class/net/{nic}/device/ptp")
    clock(lab, guest, device, RATES[name])
    echo_ethernet()
    for where, over in (("ether", "Ethernet"), (HOST, "UDP")):
        seen = guest.probe_card("stamps", nic, device, FILTER[name], where, COUNT)
        lab.equal((seen["tx"], seen["rx"], seen["wrong"]), (str(COUNT), str(COUNT), "0"),
                  f"{COUNT} PTP messages each way over {over}, stamped within their time; slowest {seen['slowest-us']} us")
    lab.equal(echo.count, COUNT, "and the host saw them")


main(scenario)
