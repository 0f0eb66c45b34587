"""What a client sees: types, inputs, unions, scalars."""
