"""Who may use the web server: TLS, passwords and a rate limit, as `--web-config` sets them."""
