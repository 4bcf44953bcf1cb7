"""Synthesis operators, each with a plain torch reference, a C++ build and a CUDA build."""
