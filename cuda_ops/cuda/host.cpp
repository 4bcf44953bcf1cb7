// The GPU's jobs as loops on the CPU: their arithmetic, tested without a GPU.
#include "kernels.cu"
