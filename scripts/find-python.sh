# shellcheck shell=bash
# Which Python: run, demo and test read this file, so that they take the same one. The bash of macOS (3.2) runs this.

# Sets `python` to the path of the first Python on PATH that is 3.10 or newer. Where all are older it is the first of them,
# and where there is none it is empty; 1 in both cases.
find_python() {
  local name folder rest found minor
  python=
  for name in python3 python python3.14 python3.13 python3.12 python3.11 python3.10; do
    # Not $(type -P …): this is a part of every start, and a subshell is a process.
    rest=$PATH:
    while [ -n "$rest" ]; do
      folder=${rest%%:*}
      rest=${rest#*:}
      found=${folder:-.}/$name
      [ -f "$found" ] && [ -x "$found" ] && break
      found=
    done
    [ -n "$found" ] || continue
    # Asking is a process too, and the usual python3 is a link to a file whose name has the answer.
    for minor in 10 11 12 13 14; do
      if [ "$found" -ef "${found%/*}/python3.$minor" ]; then
        python=$found
        return 0
      fi
    done
    if "$found" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      python=$found
      return 0
    fi
    python=${python:-$found}
  done
  return 1
}
