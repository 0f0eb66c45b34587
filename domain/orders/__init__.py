"""Orders 订单: paid, received, cancelled; redemption 核销 at payment."""
