"""ordinary_user.py: an ordinary user's guest on a bridge. anynic-helper, started by systemd's own socket activation, makes the taps: one
for our card, two for QEMU's. The guest has network, the helper's log says who got what, and kill -9 of the user's anynic leaves nothing."""
import os
import pathlib
import shutil
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
# pylint: disable=wrong-import-position
import host_net  # noqa: E402
import lab as machine  # noqa: E402
import servers  # noqa: E402
from guest import Guest  # noqa: E402
from harness import main  # noqa: E402
from helper import NOBODY, Helper  # noqa: E402
from host_links import await_, field  # noqa: E402

SIZE = 8 << 20
OURS, QEMUS = "10.7.0.2", "10.7.0.3"


def as_nobody(folder, helper):
    """Words before `anynic run`, so that it and all that it starts belong to NOBODY."""
    return ["env", f"XDG_RUNTIME_DIR={folder}", f"ANYNIC_HELPER={helper.socket}", "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
            "--clear-groups", "--no-new-privs", "--"]


def descendants(pid):
    """By number: each process's name."""
    found = {}
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(child)] = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
        found |= descendants(child)
    return found


def owners(pids):
    return {os.stat(f"/proc/{pid}").st_uid for pid in pids}


def ports(bridge):
    return sorted(os.listdir(f"/sys/class/net/{bridge}/brif"))


def in_order(lab, guest, helper):
    """Network by our card and by QEMU's, and what the helper says of it."""
    source = servers.Source(SIZE, host=host_net.HOST)
    for number, address in ((1, OURS), (2, QEMUS)):
        name = guest.sh(f"bring_up virtio_net {number}")
        guest.sh(f"await 10 carrier {name}; static {name} {address}/24; await 5 answers {host_net.HOST}")
        host_net.fetch(lab, guest, source, f"8 MiB from the host to {name}")
    taps = ports("br0")
    lab.equal(len(taps), 3, "one tap for the port whose cards are ours, two for the one whose cards are QEMU's")
    for tap in taps:
        await_(lambda tap=tap: helper.said(f"got {tap} on br0"), "the helper's log says so")
        (line,) = [line for line in helper.log.read_text().splitlines() if f"got {tap} on br0" in line]
        lab.check(f"user {NOBODY} " in line and "guest/net" in line, f"the log says who got what: {line}")
        lab.check(field(tap, "link/ether").startswith("fe:"), "a MAC that the bridge never takes for its own")
    return taps


def life(lab, guest, helper, folder, before):
    guest.start()
    family = descendants(guest.process.pid)
    lab.equal(owners([guest.process.pid, *family]), {NOBODY}, f"all processes are the user's: {sorted(set(family.values()))}")
    taps = in_order(lab, guest, helper)
    sessions = helper.sessions()
    guest.process.kill()
    guest.process.wait()
    await_(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in family), "every process of the guest ends")
    await_(lambda: host_net.links() == before, "the taps go")
    lab.equal(ports("br0"), [], "kill -9 of the user's anynic: no process, no tap, no port of the bridge is left")
    for tap in taps:
        await_(lambda tap=tap: helper.said(f"gave back {tap}"), "the log says that it came back")
    await_(lambda: not helper.sessions(), f"the helper's {len(sessions)} sessions end")
    lab.equal(list((pathlib.Path(lab.folder) / "state").glob("*.undo")), [], "nor a journal")
    left = [str(path.relative_to(folder)) for path in folder.glob("anynic/*") if path.is_socket()]
    lab.equal(left, [], "nor a socket of anynic's")


def scenario(lab):
    if os.geteuid() != 0:
        raise machine.Skip("anynic-helper is started by root only")
    if not shutil.which("systemd-socket-activate"):
        raise machine.Skip("this machine has no systemd-socket-activate; tools/setup check installs it")
    machine.own_sysfs()
    host_net.make_bridge()
    helper = Helper(lab, "allow bridge br0 user nobody\n", activated="systemd")
    folder = pathlib.Path(lab.folder) / "user"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    before = host_net.links()
    guest = Guest(folder, before=as_nobody(folder, helper), nics=["auto,backend=bridge,br=br0", "auto,place=qemu,backend=bridge,br=br0"])
    lab.guests.append(guest)
    try:
        life(lab, guest, helper, folder, before)
    finally:
        helper.stop()


main(scenario)
