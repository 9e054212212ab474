"""Convolution and its gradients: as an implicit GEMM, or by Winograd's algorithm."""
