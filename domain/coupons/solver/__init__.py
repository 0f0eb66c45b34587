"""The combination of coupons that leaves a member paying least, found by branch and bound and proven by the bound.

`answers` says what comes out, `candidates` and `table` what a wallet is turned into before the search, `ways` how a way
through it is gone, `hindsight` what one way tells of all others (`plain_bounds` where that cannot tell), `search` how
it is gone about, and `rejections` why the other coupons are not in it.
"""
