"""Run the benchmarks of this folder, command lines of their own; `standard_*` is what they share.

Without names all run, in turn, each in a process of its own. Arguments after ``--`` go to them.
"""

import argparse
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))

from rethink.provenance import git_state, machine, software


def main() -> None:
    """Run the benchmarks that are asked for; the exit code counts those that failed."""
    known = {
        path.stem: path
        for path in sorted(HERE.glob("*.py"))
        if not path.stem.startswith(("run", "standard"))
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    own, given = split(sys.argv[1:])
    names = parser.parse_args(own).names or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}'; there are {', '.join(known)}")
    print(here(), flush=True)
    failed = 0
    for name in names:
        print(f"\n## {name}\n", flush=True)
        failed += subprocess.run([sys.executable, known[name], *given], check=False).returncode != 0
    sys.exit(failed)


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before and after the first ``--``."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:cut], arguments[cut + 1 :]


def here() -> str:
    """Return date, machine, load and software in one line: numbers mean little without."""
    computer, versions = machine(), software()
    return (
        f"{date.today()}, {computer['processor']}, {computer['cores']} cores, "
        f"{computer['memory_mb'] / 1024:.0f} GB, load {os.getloadavg()[0]:.1f}; "
        f"Python {versions['python']}, Snakemake {versions['snakemake']}; "
        f"commit {(git_state()['commit'] or 'unknown')[:12]}"
    )


if __name__ == "__main__":
    main()
