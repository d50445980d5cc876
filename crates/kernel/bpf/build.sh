#!/bin/sh
# Compiles capture.bpf.c with clang (10 or newer) into the object file given, for the byte order given (el or eb). Without
# arguments it renews the object kept here for machines that have no clang, with the hash of its source beside it.
set -eu
cd "$(dirname "$0")"
out=${1:-capture.o}
# The loader needs the types, which come with -g; nobody needs the rest of it.
clang -target "bpf${2:-el}" -mcpu=v2 -O2 -g -Wall -Werror -fdebug-compilation-dir=. -c capture.bpf.c -o "$out"
strip=$(clang -print-prog-name=llvm-strip)
command -v "$strip" >/dev/null || strip=llvm-strip
"$strip" -g "$out"
if [ $# = 0 ]; then
    cat kernel.h capture.bpf.c build.sh | sha256sum | cut -d' ' -f1 >capture.o.source
fi
