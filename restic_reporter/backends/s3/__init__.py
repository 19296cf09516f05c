"""Repositories in S3 buckets: Amazon's and those of compatible servers."""

from .backend import S3Backend

__all__ = ["S3Backend"]
