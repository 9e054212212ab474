"""Optimisers' updates by kernels, small parameters in one flat group."""
