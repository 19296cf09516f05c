"""The secret stores that come with the program, each in modules of its own."""
