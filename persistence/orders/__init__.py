"""Orders in PostgreSQL: what was bought, what of it was redeemed, what it earned."""

from persistence.orders import till_tables
from persistence.orders.tables import order_directory, order_lines, orders

__all__ = ["order_directory", "order_lines", "orders", "till_tables"]
