"""The thread team, the parallel loops of kernels, and the limit on the threads of linear algebra libraries."""
