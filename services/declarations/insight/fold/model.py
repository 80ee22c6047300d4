"""The contributions of declarations to the totals. Pure.

A contribution follows from the declaration's present row alone. The totals are sums of contributions, so an amendment
or a deletion subtracts the earlier one and adds the present one: in whatever batches the log is followed, the totals
end as if all declarations had been counted once, as they are now.
"""
