"""Children that cannot hang, flood or stay."""
