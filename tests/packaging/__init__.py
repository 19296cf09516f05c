"""The units of systemd, the Debian package and the container image, used for real."""
