"""GEMM, the general product of matrices: by the linear algebra library, or in register tiles of our own."""
