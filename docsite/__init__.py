"""Makes what the site of docs/ shows and is not written by hand."""
