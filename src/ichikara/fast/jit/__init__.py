"""Just-in-time compilation by Numba: what compiles, caches and calls kernels, and the primitives they are written with.

A function marked `dispatcher.compiled` is called from Python and compiled for the types of its arguments; a function
marked `lazy.inner` is called from compiled code. Object code is cached on disk (`code_cache`), so Numba is imported
only when something has to be compiled.
"""
