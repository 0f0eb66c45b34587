"""The catalogue: what all may see and few change (templates, campaigns, merchants, stores, rewards), in each process.

`tables` counts its versions in PostgreSQL, `reads` reads what has changed, `edition` is what requests look at,
`follower` keeps it fresh. It serves reads alone: no write is decided by it.
"""
