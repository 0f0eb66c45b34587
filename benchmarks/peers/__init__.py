"""The servers that Laurel is measured against, each written as its manuals advise."""
