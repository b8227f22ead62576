"""<bandwidth>, of which the test machine's kernel may lack a half: what tc shows and how fast frames pass (tests/unit), and what a guest's
port has (tests/cli)."""
import os
import subprocess
import sys

import host  # goes to the lab host

BUILD = os.environ.get("ANYNIC_BUILD", str(host.TOP / "build"))
done = subprocess.run([f"{BUILD}/tests/unit/test-host_bandwidth"], capture_output=True, text=True, check=False)
print(done.stdout + done.stderr)
if done.returncode != 0 or "OK ] a_guest_sends_no_faster_than_its_limit" not in done.stdout:
    sys.exit(done.returncode or 1)
script = [sys.executable, str(host.TOP / "tests/cli/bandwidth.py"), "both"]
sys.exit(subprocess.run(script, check=False, env={**os.environ, "PYTHONPATH": str(host.TOP / "tests/guest")}).returncode)
