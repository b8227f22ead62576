"""together.py SCENARIO[:PARAMETER]...: several scenarios on one lab host, one after the other, each in a network namespace of its own:
the host starts once. Fails when one fails; the others run all the same."""
import pathlib
import subprocess
import sys
import time

import host  # noqa: F401  # pylint: disable=unused-import  # goes to the lab host

HERE = pathlib.Path(__file__).resolve().parent


def run(words):
    name, *parameters = words.split(":")
    start = time.monotonic()
    print(f"--- {words}", flush=True)
    code = subprocess.run([sys.executable, HERE / f"{name}.py", *parameters], check=False).returncode
    print(f"--- {words}: {'ok' if code == 0 else f'FAILED, status {code}'} ({time.monotonic() - start:.0f} s)", flush=True)
    return code == 0


failed = [words for words in sys.argv[1:] if not run(words)]
if failed:
    print(f"FAILED: {' '.join(failed)}")
sys.exit(1 if failed else 0)
