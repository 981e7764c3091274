"""What this machine does: the real chain, measured from outside."""
