"""What goes wrong with kernels."""


class KernelError(RuntimeError):
    """A kernel cannot be built or run here. The message is one line: what is wrong, what to do."""
