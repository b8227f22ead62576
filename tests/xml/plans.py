"""plans.py ANYNIC FOLDER: what `anynic plan` makes of files that no libvirtd of Debian can be asked about, and what it says of wrong ones.

Beside NAME.xml is NAME.json: "netdevs", "devices" or "chardevs" (what is said of each object has to be so; null: it must not be there; the
number of objects has to be the same), or "exit", the status; "says", parts of what stands on standard error. NAME.net.xml, where there is
one, has the networks.
"""
import json
import pathlib
import subprocess
import sys

ASSUME = ["--assume", "kvm,vhost,vfio", "--qemu-version", "11.1"]


def plan(anynic, file):
    networks = file.with_suffix(".net.xml")
    words = [anynic, "plan", "-j", "--interfaces", str(file), *ASSUME]
    if networks.exists():
        words += ["--networks", str(networks)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def differences(wanted, done):
    if done.returncode != wanted.get("exit", 0):
        yield f"status {done.returncode}: {done.stderr.strip()}"
        return
    for text in wanted.get("says", []):
        if text not in done.stderr:
            yield f"'{text}' is not in: {done.stderr.strip()}"
    if not wanted.get("says") and done.stderr:
        yield f"it says: {done.stderr.strip()}"
    made = json.loads(done.stdout) if done.returncode == 0 else {}
    for kind in ("netdevs", "devices", "chardevs"):
        if kind not in wanted:
            continue
        if len(wanted[kind]) != len(made[kind]):
            yield f"{kind}: {json.dumps(made[kind])}"
            continue
        for one, other in zip(wanted[kind], made[kind]):
            if isinstance(one, str):
                if one != other:
                    yield f"{other}, not {one}"
                continue
            for key, value in one.items():
                if other.get(key) != value:
                    yield f"{key} is {other.get(key)}, not {value}, in {json.dumps(other)}"


def main():
    anynic, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    files = [f for f in sorted(folder.glob("*.xml")) if not f.name.endswith(".net.xml")]
    bad = 0
    for file in files:
        wanted = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        for text in differences(wanted, plan(anynic, file)):
            print(f"FAIL {file.name}: {text}")
            bad += 1
    print(f"{len(files)} plans, {bad} differences")
    sys.exit(1 if bad or not files else 0)


if __name__ == "__main__":
    main()
