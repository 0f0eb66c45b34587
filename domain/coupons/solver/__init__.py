"""The combination of coupons that leaves a member paying least, found by branch and bound and proven by the bound.

`answers` says what comes out, `candidates` what a wallet is turned into before the search, `bounds` how much more a
combination could still save, `search` how it is gone about, and `rejections` why the other coupons are not in it.
"""
