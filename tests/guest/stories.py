"""stories.py auto|vhost: the first two of docs/stories.md, with the words and files of their pages."""
import json
import os
import pathlib
import re
import subprocess

import lab as machine
from harness import LEGACY, LEGACY_UP, PERFORMANT, main
from pages import DOCS, Page

NODE = "/dev/vhost-net"


def says(lab, guest, patterns):
    for pattern in patterns:
        lab.check(re.search(pattern, guest.log()), f"it says as the page does: {pattern}")


def auto(lab):
    """An old guest and a new one, each with its own driver only, from one file."""
    page = Page("old-and-new.md")
    old = lab.guest(name="old", nics=(), options=page.options("anynic run --name old"))
    mark = old.qmp.mark()
    name = old.sh("bring_up e1000")
    lab.story(old, mark, LEGACY_UP, "the old guest gets its link by the timer")
    old.sh(f"await 5 carrier {name} && dhcp {name} && answers 10.0.2.2")
    says(lab, old, page.printed(LEGACY) + page.printed(f"net0: switched none -> {LEGACY}"))
    old.stop()

    options = page.options("anynic run --name new")
    lab.equal(options, page.options("anynic run --name old"), "the new guest has the same file")
    new = lab.guest(name="new", nics=(), options=options)
    mark = new.qmp.mark()
    name = new.sh("bring_up virtio_net")
    lab.story(new, mark, [f"{PERFORMANT} ready", f"{PERFORMANT} up", f"net0: None -> {PERFORMANT} (performant-ready)"],
              "the new guest gets its link at once, on the other card")
    new.sh(f"await 5 carrier {name} && dhcp {name} && answers 10.0.2.2")
    says(lab, new, page.printed(f"net0: switched none -> {PERFORMANT}"))
    why = subprocess.run([machine.anynic(), *page.command("anynic why")[1:]], capture_output=True, text=True, check=True).stdout
    lab.check(PERFORMANT in why, f"`why` names it: {why.strip()}")


def plan(words):
    return subprocess.run([machine.anynic(), "plan", *words], capture_output=True, text=True, cwd=DOCS.parent, timeout=60, check=False)


def vhost(lab):
    """On a machine with or without the node; the lab host has both, in tests/lab/vhost_choice.py."""
    machine.ip("link", "add", "br0", "type", "bridge")
    machine.ip("link", "set", "br0", "up")
    page = Page("vhost.md")
    line = ["--", machine.qemu(), "-M", "q35", "-accel", "tcg", "-nodefaults", "-display", "none", "-S"]
    usable = os.access(NODE, os.R_OK | os.W_OK)
    options = [word.removeprefix(f"{DOCS.parent}/") for word in page.options("anynic plan --interfaces docs/examples/vhost.xml --")]
    done = plan([*options, *line])
    lab.equal(done.returncode, 0 if usable else 4, f"plan's status; {NODE} is {'there' if usable else 'not to be had'}")
    if usable:
        lab.check("driver vhost: " in done.stdout and '"vhost":true' in done.stdout, "it has vhost-net")
    else:
        lab.check(os.path.exists(NODE) or re.fullmatch(page.printed("anynic: ")[0], done.stderr.strip()),
                  f"it says as the page does: {done.stderr.strip()}")
        lab.check("vhost.xml:1: <driver name='vhost'/> cannot be had" in done.stderr, "in XML's words")
        done = subprocess.run([machine.anynic(), "run", *page.options("anynic run"), *line], capture_output=True, text=True,
                              timeout=60, check=False)
        lab.equal(done.returncode, 4, "run's status")
        lab.check("vhost.xml:1: <driver name='vhost'/> cannot be had" in done.stderr, "and it says the same")

    lenient = pathlib.Path(lab.folder) / "lenient.xml"
    text = (DOCS / "examples/vhost.xml").read_text(encoding="utf-8")
    lenient.write_text(re.sub(" *<driver.*\n", "", text), encoding="utf-8")
    done = plan(["--interfaces", str(lenient), *line])
    lab.check(done.returncode == 0 and f"driver {'vhost' if usable else 'qemu'}: {NODE}" in done.stdout,
              "without <driver> it takes what there is, and says why")
    done = plan([*page.options("anynic plan --interfaces docs/examples/vhost.xml --assume"), "-j"])
    lab.equal(json.loads(done.stdout)["ports"][0]["backend"]["driver"], "vhost", "for a host that has it: vhost")


main(lambda lab, story="auto": {"auto": auto, "vhost": vhost}[story](lab))
