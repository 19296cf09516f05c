"""Requests the ``ping_url`` of entries, for services that watch jobs without Prometheus."""
