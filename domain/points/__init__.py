"""Points 积分: lots, a double-entry journal, rewards, check-in."""
