"""TLS, passwords and a rate limit for the web server, as `--web-config` sets them."""
