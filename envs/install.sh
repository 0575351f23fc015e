#!/bin/sh
# Create the virtual environment $1 with exactly the packages of the hash-locked file $2.
# Uses uv where it is installed, else pip; needs Python 3.11 or newer and nothing else.
set -eu
venv=$1 lock=$2

works() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    if [ -n "$candidate" ] && works "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "error: no Python 3.11 or newer found; on Debian or Ubuntu: apt install python3 python3-venv" >&2
    exit 1
fi

has_uv=no
if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then has_uv=yes; fi

echo "setting up $venv from $lock (about 5 GB with torch for CUDA; some minutes the first time)" >&2
if [ ! -x "$venv/bin/python" ]; then
    if [ $has_uv = yes ]; then
        uv venv -q --python "$("$python" -c 'import sys; print(sys.executable)')" "$venv"
    elif ! "$python" -m venv "$venv" >/dev/null 2>&1; then
        rm -rf "$venv"
        echo "error: $python cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
fi
if [ $has_uv = yes ]; then
    uv pip install -q --python "$venv/bin/python" --require-hashes -r "$lock"
else
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"
fi
# Every job starts a Python: compile once, or each start compiles torch's imports again.
PYTHONDONTWRITEBYTECODE= "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || true
