"""The operators in C++, for float32 tensors on the CPU."""
