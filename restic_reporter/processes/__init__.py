"""Child processes that cannot hang, flood or stay."""
