"""What a department buys: catalogue, orders, approvals, frameworks and contracts."""
