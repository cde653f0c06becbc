/* Functions compiled for several instruction sets, the best of which is taken when the program is
 * loaded. Vectors only get wider: products and sums stay separately rounded (-ffp-contract=off) and
 * in their order, so that the bits are the same on every machine. For static functions: clang gives
 * the others a name that another file does not find. No two of them have one name, in any files: with
 * clang what chooses among a function's versions is not static. */
#ifndef DET_BASE_VECTOR_TARGETS_H
#define DET_BASE_VECTOR_TARGETS_H

#if defined(__x86_64__) && defined(__linux__)
#define DET_VECTOR_TARGETS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define DET_VECTOR_TARGETS
#endif

#endif
