"""The Debian package and the container image, built and used for real."""
