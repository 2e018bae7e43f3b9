"""Principal-agent reinforcement learning with contracts."""
