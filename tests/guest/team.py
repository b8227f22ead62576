"""team.py MODEL [PLACE [alone]]: a team of virtio and a transient card that anynic serves. Linux's net_failover makes one interface of both;
traffic runs over it without a pause, in both directions and with every byte checked, while the transient card's link goes and comes
back, its driver is unloaded and loaded again, and after a reset. `alone`: a guest that does not pair, iPXE, works on virtio.

PLACE: qemu-virtio (QEMU's own virtio card, which pairs by itself: the default), vhost-user (QEMU's in front, ours behind), hosted
(both cards are ours, and the guest pairs them by their MAC) or qemu (both are QEMU's).
"""
import pathlib
import re
import socket
import threading
import time

import lab as machine
import servers
from cards import GUEST, HOST
from harness import main

PERSISTENT, TRANSIENT = "net0-persistent", "net0-transient"
PLACES = {"qemu-virtio": "", "qemu": ",place=qemu", "vhost-user": ",transport=vhost-user", "hosted": ",place=hosted"}
UP = [f"net0: {PERSISTENT} -> {TRANSIENT} (transient-ready)"]
SIZE = 512 << 20


def moves(guest, since):
    """What carries traffic, in order, and why."""
    return [f"net0: {e['data']['from']} -> {e['data']['to']} ({e['data']['reason']})"
            for e in guest.qmp.events[since:] if e["event"] == "PORT_LINK_SWITCHED"]


def why(guest):
    (found,) = guest.qmp.command("query-why", port="net0")
    return found


class Echoes:
    """One datagram after the other to the host and back, until stop(): one that is lost in either direction is counted."""

    def __init__(self, guest, port):
        self.guest = guest
        guest.sh(f"touch /tmp/go; while [ -e /tmp/go ]; do probe udp-echo {HOST} {port} 50 200; done >/tmp/echoes 2>&1 &")

    def stop(self):
        """How many there were, how many were lost or wrong."""
        self.guest.sh("await 20 sh -c '[ $(wc -l </tmp/echoes) -ge 2 ]'")
        text = self.guest.sh("rm /tmp/go; sleep 1; await 60 sh -c '! pidof probe >/dev/null'; cat /tmp/echoes", timeout=200)
        found = [tuple(map(int, m)) for m in re.findall(r"count=(\d+) lost=(\d+) wrong=(\d+)", text)]
        return sum(f[0] for f in found), sum(f[1] + f[2] for f in found)


def counters(guest):
    return {nic: (c["tx-frames"], c["rx-frames"]) for nic, c in guest.port()["counters"]["nics"].items()}


def grew(before, after, nic):
    return after[nic][0] - before[nic][0], after[nic][1] - before[nic][1]


def sends_over(guest, nic, frames=50):
    """Until the guest has sent so many frames over this card: how long that takes is the machine's affair."""
    start = counters(guest)
    machine.wait_until(lambda: grew(start, counters(guest), nic)[0] >= frames, f"{frames} frames over {nic}", 120)


class Words:
    """The guest is spoken to all the time, until stop()."""

    def __init__(self):
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def _speak(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            while not self._end.wait(0.005):
                udp.sendto(b"word", (GUEST, 9))

    def stop(self):
        self._end.set()
        self._thread.join()


def answers(guest):
    """What the guest's cards sent and the port did not pass on: it was asked where it reads, and said so."""
    c = guest.port()["counters"]
    return sum(nic["tx-frames"] for nic in c["nics"].values()) - c["tx-frames"]


def is_asked(lab, guest, driver):
    """There is little time for it, and the machine may be busy elsewhere: more than once, if need be."""
    words, tries = Words(), 0
    while tries < 12 and not answers(guest):
        tries += 1
        for command, to in ((f"rmmod {driver}", PERSISTENT), (f"modprobe {driver}", TRANSIENT)):
            mark = guest.qmp.mark()
            guest.sh(command, timeout=200)
            guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=to, timeout=90)
            guest.sh(f"await 20 answers {HOST}")
    words.stop()
    lab.check(answers(guest) > 0, f"asked on virtio whether it reads there, the guest has answered (unloaded again: {tries} times)")


def pair(lab, guest, driver):
    """Loads the drivers; returns the interface that people use."""
    mark = guest.qmp.mark()
    lab.equal(guest.port()["active"], PERSISTENT, "until the guest pairs, the persistent card carries the port")
    guest.sh("modprobe net_failover; virtio; modprobe virtio_net; await 10 has_nic virtio_net")
    guest.sh("await 20 sh -c 'ls -d /sys/class/net/*/master'")
    master = guest.sh("for d in /sys/class/net/*; do readlink $d/master; done | head -1").split("/")[-1]
    lab.check(master, f"the guest pairs: {master}")
    guest.sh(f"static {master} {GUEST}/24; up {master}; await 10 carrier {master}; await 10 answers {HOST}")
    lab.equal(guest.port()["active"], PERSISTENT, "without a driver for the transient card it works on virtio")
    # QEMU's own cards are looked at from outside, now and then
    machine.wait_until(lambda: "is plugged, driver none" in why(guest)["text"], "why says that the card is plugged")
    lab.say(f"why: {why(guest)['text']}")
    guest.sh(f"modprobe {driver}; await 30 has_nic {driver}", timeout=200)
    guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=TRANSIENT)
    lab.equal(moves(guest, mark), UP, "with its driver the transient card carries traffic")
    guest.sh(f"await 20 carrier $(nic {driver}); sleep 1")  # the guest sends on virtio until it sees that link
    return master


def stays_alive(lab, guest, echo, text, action, allowed=0):
    """A driver that is unloaded throws away what its ring holds, and so does igb's when it resets the card because it had frames to send as the
    link went: the one datagram that is under way may be there (`allowed`). What we drop is counted, and must be nothing."""
    echoes, before = Echoes(guest, echo.port), counters(guest)
    action()
    count, lost = echoes.stop()
    lab.check(count > 50 and lost <= allowed, f"{text}: {count} datagrams there and back, {lost} lost")
    return before, counters(guest)


def fail_over_by_link(lab, guest, echo, source):
    mark = guest.qmp.mark()
    before, after = stays_alive(lab, guest, echo, "traffic over the transient card", lambda: sends_over(guest, TRANSIENT))
    lab.check(grew(before, after, TRANSIENT)[0] > 40 and grew(before, after, PERSISTENT)[0] <= 5, f"all of it: {before} {after}")

    def down_and_up():
        guest.qmp.command("set_link", name=TRANSIENT, up=False)
        guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=PERSISTENT)
        sends_over(guest, PERSISTENT)
        lab.equal(guest.port()["state"], "manual", "an administrator rules")
        guest.qmp.command("set-port-policy", port="net0", mode="auto")
        guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=TRANSIENT)
        sends_over(guest, TRANSIENT)

    before, after = stays_alive(lab, guest, echo, "its link goes and comes back", down_and_up, allowed=1)
    lab.check(grew(before, after, PERSISTENT)[0] > 10, f"meanwhile the guest sent on virtio: {before} {after}")
    lab.equal(moves(guest, mark), [f"net0: {TRANSIENT} -> {PERSISTENT} (manual)", f"net0: {PERSISTENT} -> {TRANSIENT} (manual)"],
              "one move there, one back")
    times, got = 0, ""
    guest.sh(f"probe tcp-get {HOST} {source.port} >/tmp/tcp 2>&1 &")
    while "crc" not in got and times < 400:
        guest.qmp.command("set_link", name=TRANSIENT, up=times % 2 == 1)
        got = guest.sh("usleep 300000; cat /tmp/tcp")
        times += 1
    guest.qmp.command("set-port-policy", port="net0", mode="auto")
    guest.sh("sleep 1")  # the last of these events has come
    lab.check(f"bytes={SIZE} crc={source.crc:08x}" in got and times >= 4,
              f"a TCP stream lives through {times} changes of that link: {got}")


def fail_over_by_driver(lab, guest, echo, driver):
    mark = guest.qmp.mark()

    def unload():
        guest.sh(f"rmmod {driver}", timeout=200)
        guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=PERSISTENT)
        sends_over(guest, PERSISTENT)

    _, after = stays_alive(lab, guest, echo, "the driver of the transient card is unloaded", unload, allowed=1)
    lost = guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=PERSISTENT)
    before, after = stays_alive(lab, guest, echo, "then virtio carries traffic", lambda: sends_over(guest, PERSISTENT))
    lab.check(grew(before, after, PERSISTENT)[1] > 10, f"in both directions: {before} {after}")
    place = guest.qmp.mark()
    guest.sh(f"modprobe {driver}; await 30 has_nic {driver}", timeout=200)
    back = guest.qmp.wait("PORT_LINK_SWITCHED", since=place, to=TRANSIENT, timeout=90)
    lab.check(back["time"] - lost["time"] >= 1.9, f"it carries traffic again {back['time'] - lost['time']:.1f} s after it was lost")
    lab.equal(moves(guest, mark), [f"net0: {TRANSIENT} -> {PERSISTENT} (transient-lost)", *UP], "one move there, one back")
    guest.sh(f"await 10 answers {HOST}")
    if driver != "igc":  # Linux igc takes bus mastering away before all else, and all moves then: nothing waits, nobody is asked
        is_asked(lab, guest, driver)


def over_and_back(lab, guest, echo, driver):
    """A card of QEMU's own is looked at from outside, so that its driver's end is seen late, and what comes in until then is lost."""
    def unload_and_load():
        for command, to in ((f"rmmod {driver}", PERSISTENT), (f"modprobe {driver}", TRANSIENT)):
            mark = guest.qmp.mark()
            guest.sh(command, timeout=200)
            guest.qmp.wait("PORT_LINK_SWITCHED", since=mark, to=to)
            guest.sh("sleep 1")

    stays_alive(lab, guest, echo, "the driver of the transient card goes and comes", unload_and_load, allowed=6)


def reset(lab, guest):
    mark = guest.qmp.mark()
    guest.send("reboot -f")
    guest.wait_boot(2)
    guest.qmp.wait("RESET", since=mark)
    port = guest.port()
    lab.equal((port["active"], [n["link"] for n in port["nics"]]), (PERSISTENT, ["up", "down"]),
              "after a reset the transient card has no link until the guest pairs")


def alone(lab, model, place):
    """iPXE takes no STANDBY, as any driver older than 2018: it works on virtio, whatever else it finds."""
    machine.make_tap()
    web = servers.Http({"/hello": b"hello"}, host=HOST)
    servers.Dhcp("tap0", HOST, GUEST)
    script = pathlib.Path(lab.folder) / "script.ipxe"
    script.write_text(f"#!ipxe\ndhcp\nimgfetch http://{HOST}:{web.port}/hello\nsleep 600\n")
    guest = lab.guest(start=False, kernel=None, memory=("-m", "512M"),
                      nics=[f"team,transient={model},backend=tap,ifname=tap0{PLACES[place]}"],
                      qemu=["-kernel", machine.kernel("ipxe") / "ipxe.lkrn", "-initrd", script])
    guest.start(wait=False)
    guest.qmp.wait("GUEST_DRIVER_STATUS_CHANGED", timeout=200, nic=PERSISTENT, status="ready")
    end = time.monotonic() + 120
    while not web.log and time.monotonic() < end:
        time.sleep(0.1)
    lab.equal(web.log, ["/hello"], "a guest that does not pair has its network")
    port, reason = guest.port(), why(guest)
    lab.equal((port["active"], [n["link"] for n in port["nics"]]), (PERSISTENT, ["up", "down"]), "on virtio")
    lab.equal(counters(guest)[TRANSIENT], (0, 0), "and on nothing else")
    lab.check(reason["verdict"] == "ok" and "does not pair" in reason["text"] and "net_failover" in reason["next-step"],
              f"why: {reason['text']}; next: {reason['next-step']}")
    guest.stop()


def scenario(lab, model, place="qemu-virtio", other=None):
    if other:
        alone(lab, model, place)
        return
    machine.make_tap()
    echo, source = servers.UdpEcho(), servers.Source(SIZE)
    guest = lab.guest(nics=[f"team,transient={model},backend=tap,ifname=tap0{PLACES[place]}"])
    pair(lab, guest, model)
    if place == "qemu":
        over_and_back(lab, guest, echo, model)
        guest.stop()
        return
    fail_over_by_link(lab, guest, echo, source)
    fail_over_by_driver(lab, guest, echo, model)
    lab.equal(guest.port()["counters"]["drops"], {k: 0 for k in guest.port()["counters"]["drops"]}, "nothing was dropped")
    reset(lab, guest)
    guest.stop()


main(scenario)
