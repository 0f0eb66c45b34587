// A page with the member's coupons: it shows them, claims one, and follows what happens to them.
'use strict';

const CLAIM = `mutation Claim($input: ClaimCouponInput!) {
  claimCoupon(input: $input) {
    __typename
    ... on ClaimCouponSuccess { replayed coupon { id headline state validUntil } }
    ... on ClaimLimitReachedProblem { limit resetsAt }
    ... on Problem { code message }
  }
}`;
const WALLET = `query Wallet {
  me { wallet { sequence coupons(first: 20) { nodes { id headline state validUntil } pageInfo { hasNextPage endCursor } } } }
}`;
const WALLET_CHANGED = `subscription WalletChanged {
  walletChanged { sequence snapshotRequired change coupon { id headline state validUntil } }
}`;

/** { coupon } or { refusal }: what to show, whatever codes are added after this app was shipped. */
async function claim(laurel, couponTemplateId) {
  const result = await laurel.write(`claim:${couponTemplateId}`, CLAIM, { couponTemplateId });
  if (result.coupon) return { coupon: result.coupon };
  return { refusal: { code: result.code, message: result.message } };
}

/** Calls show(coupons) with the wallet's first page, now and after each change. Returns how to stop. */
function follow(laurel, show) {
  const coupons = new Map();
  return laurel.live.subscribe({
    query: WALLET_CHANGED,
    async read() {
      const { me } = await laurel.request(WALLET);
      return { sequence: me.wallet.sequence, state: me.wallet.coupons.nodes };
    },
    onSnapshot(nodes) {
      coupons.clear();
      for (const coupon of nodes) coupons.set(coupon.id, coupon);
      show([...coupons.values()]);
    },
    onEvent({ coupon }) {
      if (coupon) coupons.set(coupon.id, coupon);
      show([...coupons.values()]);
    },
    onError: (error) => console.error('laurel', error.code, error.message),
  });
}

module.exports = { claim, follow };
