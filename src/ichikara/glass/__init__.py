"""Floor 5: a network that explains itself. Charts and text come out; nothing here draws."""
