"""What a declaration adds to the totals, and how much the totals move. Pure.

A contribution follows from the declaration's present row alone. The totals are sums of contributions,
so an amendment or a deletion subtracts what was counted and adds what is: in whatever batches the log
is followed, the totals end as if all declarations had been counted once, as they are now.
"""
