"""VLANs on a Linux bridge, which the test machine's kernel may lack: frames between taps (tests/unit), and what a guest's port has, also
when its bridge or its tap comes again (tests/cli)."""
import os
import subprocess
import sys

import host  # goes to the lab host

BUILD = os.environ.get("ANYNIC_BUILD", str(host.TOP / "build"))
done = subprocess.run([f"{BUILD}/tests/unit/test-host_bridge_rules"], capture_output=True, text=True, check=False)
print(done.stdout + done.stderr)
if done.returncode != 0 or "SKIPPED" in done.stdout:
    sys.exit(done.returncode or 1)
script = [sys.executable, str(host.TOP / "tests/cli/bridge_rules.py"), "vlans"]
sys.exit(subprocess.run(script, check=False, env={**os.environ, "PYTHONPATH": str(host.TOP / "tests/guest")}).returncode)
