"""What tests share: streams, checkpoints and networks to try, damage, a pretended GPU."""
