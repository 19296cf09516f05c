"""Servers, programs and values that tests share."""
