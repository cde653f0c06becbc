/* Which of OpenBLAS's kernel sets a run uses. */
#ifndef HARNESS_BLAS_CORE_H
#define HARNESS_BLAS_CORE_H

/* OpenBLAS picks its kernels when it is loaded, by CPU model; models newer than the library fall
 * back to SSE kernels, several times slower (0.3.21 on a Sapphire Rapids takes Prescott's). Where
 * OPENBLAS_CORETYPE is not set, set it by what the CPU can do (SkylakeX with AVX-512, Haswell with
 * AVX2; never more than Haswell for the command `golden`) and start the program again. Call first in
 * main; returns where nothing is to be done or the program cannot be started again. Tests pin
 * OPENBLAS_CORETYPE=Haswell: that is kept. */
void blas_core_choose(char **argv);

#endif
