"""Members 会员: who they are, what tier they hold."""
