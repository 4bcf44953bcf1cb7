"""The CUDA build of the operators, and the same code as loops on the CPU for its tests."""
