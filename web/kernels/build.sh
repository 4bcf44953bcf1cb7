#!/bin/sh
# Builds the kernels; from Debian's packages clang-19 and lld-19. Twice: WebAssembly's SIMD, and
# with the fused product of relaxed SIMD, which the player takes where the browser has it.
set -e
cd "$(dirname "$0")"
out=${1:-../player/render}
flags="--target=wasm32 -O3 -std=c11 -Wall -Wextra -Werror -nostdlib -ffreestanding -fno-builtin -mbulk-memory -msimd128"
link="-Wl,--no-entry -Wl,--import-memory -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=65536"
${CLANG:-clang-19} $flags $link -o "$out/kernels.wasm" kernels.c
${CLANG:-clang-19} $flags -mrelaxed-simd $link -o "$out/kernels-relaxed.wasm" kernels.c
# another compiler makes other bytes: a test compares them where there is this one
[ $# -gt 0 ] || ${CLANG:-clang-19} --version | head -1 > compiler.txt
