"""What every product of Borough stands on: the control plane and the bundled workloads."""
