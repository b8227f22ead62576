"""docs_pages.py ANYNIC: files of docs/examples are what pages show, tests run them, the schema allows them and `plan` takes them; links between
pages lead somewhere."""
import os
import pathlib
import re
import subprocess
import sys

from pages import DOCS, Page

TOP = DOCS.parent
anynic = sys.argv[1]
wrong = []


def check(holds, text):
    if not holds:
        wrong.append(text)


shown = {}
for path in sorted(DOCS.glob("*.md")):
    page = Page(path.name)
    for name, text in page.shown():
        shown[name] = page
        check((DOCS / name).exists() and (DOCS / name).read_text(encoding="utf-8") == text, f"{path.name}: what it shows is not {name}")
    for target in re.findall(r"\]\(([\w./-]+)\)", page.text):
        check((DOCS / target).exists(), f"{path.name}: there is no {target}")
    for script in re.findall(r"`(tests/[\w/]+\.py)", page.text):
        check((TOP / script).exists(), f"{path.name}: there is no {script}")

tests = "".join(p.read_text(encoding="utf-8") for p in pathlib.Path(TOP, "tests").glob("*/*.py"))
for path in sorted((DOCS / "examples").iterdir()):
    name = f"examples/{path.name}"
    check(name in shown, f"{name}: no page shows it")
    check(name in shown and (shown[name].name in tests or name in tests), f"{name}: no test runs it")
    if "<network" not in path.read_text(encoding="utf-8"):
        done = subprocess.run([anynic, "plan", "--interfaces", path, "--assume", "kvm,vhost,vfio", "--qemu-version", "11.1"],
                              capture_output=True, text=True, timeout=60, check=False)
        check(done.returncode == 0, f"{name}: plan says {done.stderr}")
    done = subprocess.run([anynic, "xml", "--validate", path], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "ANYNIC_SCHEMA": str(TOP / "schema")})
    check(done.returncode == 0, f"{name}: the schema says {done.stderr}")

check(len(shown) >= 2, "hardly a page shows a file")
print("\n".join(wrong) or f"{len(shown)} files are what pages show")
sys.exit(1 if wrong else 0)
