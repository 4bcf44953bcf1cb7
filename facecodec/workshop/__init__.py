"""What looks at the machine and makes rigs: bench, doctor, discover."""
