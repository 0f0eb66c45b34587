"""The demo programme: a real retailer's year, and what is invented around it. docs/demo.md says which is which."""
