"""Lists of cross-border e-commerce in the totals: each parcel counts once, in its list or in a declaration."""
