"""What every slice of the domain speaks: ids, money, time, errors, events, idempotency."""
