"""One file per ranking rule."""
