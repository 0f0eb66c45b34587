"""What GraphiQL's tabs ask at first, a document per audience, in lines that fit the editor.

They speak the public schema; a test validates them, and the variables that `tabs` gives them, against the printed one.
`{how_to}` stands for the lines that every tab has.
"""

HOW_TO = """\
# To run one: press ▶ and choose it, or put the cursor
# inside it and press Ctrl-Enter (⌘-Enter).
#
# Below are the Variables and, under Headers, the token.
# When it has expired, reload the page: what you changed
# stays, all else is made anew, as are idempotency keys.
"""

MEMBER = """\
# Welcome! In this tab you are a member.
#
# WatchMyWallet stays open: start it here, open this page
# in a second window, run ClaimCoupon there and see the
# coupon arrive here. Run it again: the same idempotency
# key gives the same answer, with replayed: true.
#
{how_to}
query MyWallet {
  me {
    displayName
    tier { tier { name } }
    points { available }
    wallet {
      coupons(first: 5) {
        nodes { headline state validUntil }
      }
    }
  }
}

query WhatMayIClaim {
  couponTemplates(
    first: 5
    filter: { claimableNow: true }
  ) {
    nodes {
      id
      headline
      rulesText
      stock { remaining }
      merchant { name }
    }
  }
}

mutation ClaimCoupon(
  $couponTemplateId: ID!
  $idempotencyKey: ID!
) {
  claimCoupon(input: {
    couponTemplateId: $couponTemplateId
    idempotencyKey: $idempotencyKey
  }) {
    ... on ClaimCouponSuccess {
      coupon { code headline state validUntil }
      replayed
    }
    ... on Problem { code message }
  }
}

subscription WatchMyWallet {
  walletChanged {
    sequence
    change
    coupon { headline state validUntil }
  }
}

# The coupon that takes most off the till's cart.
query CodeForTheTill($cart: CartInput!) {
  me {
    wallet {
      coupons(
        first: 1
        orderBy: BEST_VALUE
        filter: { states: [CLAIMED], usableFor: $cart }
      ) {
        nodes {
          headline
          redemptionCode { token expiresAt }
        }
      }
    }
  }
}

mutation CheckIn($idempotencyKey: ID!) {
  checkIn(input: { idempotencyKey: $idempotencyKey }) {
    ... on CheckInSuccess {
      pointsEarned
      status { streakDays nextReward }
      replayed
    }
    ... on Problem { code message }
  }
}

subscription WatchMyPoints {
  pointsChanged {
    sequence
    available
    transaction { kind delta reason }
  }
}
"""

TILL = """\
# In this tab you are a till in one store of a merchant.
#
# Redeem wants the token that a member's phone shows: run
# CodeForTheTill in the Member tab, put its token into
# the variables here and redeem within the minute.
#
{how_to}
query WhereAmI {
  viewer {
    roles
    merchants(first: 5) {
      nodes {
        id
        name
        stores(first: 5) { nodes { id name } }
      }
    }
  }
}

mutation Redeem(
  $orderRef: String!
  $redemptionToken: String!
  $cart: CartInput!
  $storeId: ID!
  $idempotencyKey: ID!
) {
  redeemCoupons(input: {
    orderRef: $orderRef
    redemptionToken: $redemptionToken
    cart: $cart
    storeId: $storeId
    idempotencyKey: $idempotencyKey
  }) {
    ... on RedeemCouponsSuccess {
      redemptions {
        coupon { headline }
        discount { amount currencyCode }
      }
      quote {
        subtotal { amount }
        discount { amount }
        payable { amount currencyCode }
      }
      replayed
    }
    ... on Problem { code message }
  }
}
"""

MERCHANT = """\
# In this tab you are staff of a merchant.
#
# WatchRedemptions stays open: redeem a coupon in the Till
# tab of a second window and see it arrive here.
#
{how_to}
query OurRedemptions($merchantId: ID!) {
  merchant(id: $merchantId) {
    name
    redemptions(first: 5) {
      nodes {
        orderRef
        redeemedAt
        discount { amount currencyCode }
        coupon { headline }
        store { name }
      }
    }
  }
}

subscription WatchRedemptions($merchantId: ID!) {
  merchantRedemptions(merchantId: $merchantId) {
    sequence
    redemption {
      orderRef
      redeemedAt
      discount { amount currencyCode }
      coupon { headline }
    }
  }
}

query OurCampaigns($merchantId: ID!) {
  merchant(id: $merchantId) {
    campaigns(first: 5) {
      nodes { id name goal state startsAt endsAt }
    }
  }
}
"""

OPERATOR = """\
# In this tab you run the programme.
#
# CreateCouponTemplate makes a draft: nobody can claim it.
# Put the id of its answer into the variables and run
# PublishCouponTemplate: from then on its terms are fixed
# and members may claim it.
#
{how_to}
query Campaigns {
  campaigns(first: 5) {
    nodes {
      id
      name
      goal
      state
      startsAt
      endsAt
      merchant { name }
    }
  }
}

mutation CreateCampaign($campaign: CreateCampaignInput!) {
  createCampaign(input: $campaign) {
    ... on CreateCampaignSuccess {
      campaign { id name state }
      replayed
    }
    ... on Problem { code message }
  }
}

mutation CreateCouponTemplate(
  $couponTemplate: CreateCouponTemplateInput!
) {
  createCouponTemplate(input: $couponTemplate) {
    ... on CreateCouponTemplateSuccess {
      couponTemplate { id headline rulesText }
      replayed
    }
    ... on Problem { code message }
  }
}

mutation PublishCouponTemplate(
  $couponTemplateId: ID!
  $idempotencyKey: ID!
) {
  publishCouponTemplate(input: {
    couponTemplateId: $couponTemplateId
    idempotencyKey: $idempotencyKey
  }) {
    ... on PublishCouponTemplateSuccess {
      couponTemplate { id headline stock { remaining } }
      replayed
    }
    ... on Problem { code message }
  }
}

mutation AdjustPoints(
  $memberId: ID!
  $delta: SafeInt!
  $reason: String!
  $idempotencyKey: ID!
) {
  adjustPoints(input: {
    memberId: $memberId
    delta: $delta
    reason: $reason
    idempotencyKey: $idempotencyKey
  }) {
    ... on AdjustPointsSuccess {
      account { available }
      transaction { delta reason occurredAt }
      replayed
    }
    ... on Problem { code message }
  }
}
"""

SERVICE = """\
# In this tab you are the order system.
#
# RecordOrder says that a member has paid for a cart; its
# points are pending until the goods are received. Refund
# then takes one of its two units back; without lines it
# takes back all that is left.
#
{how_to}
query WhoIs($memberId: ID!) {
  member(id: $memberId) {
    displayName
    phone
    joinedAt
    points { available pending }
    tier { tier { name } }
  }
}

mutation RegisterMember(
  $externalRef: String!
  $displayName: String
  $idempotencyKey: ID!
) {
  registerMember(input: {
    externalRef: $externalRef
    displayName: $displayName
    idempotencyKey: $idempotencyKey
  }) {
    ... on RegisterMemberSuccess {
      member { id displayName joinedAt }
      replayed
    }
    ... on Problem { code message }
  }
}

mutation RecordOrder(
  $orderRef: String!
  $memberId: ID!
  $cart: CartInput!
  $idempotencyKey: ID!
) {
  recordOrder(input: {
    orderRef: $orderRef
    memberId: $memberId
    state: PAID
    cart: $cart
    idempotencyKey: $idempotencyKey
  }) {
    ... on RecordOrderSuccess {
      orderRef
      state
      pointsPending
      pointsEarned
      replayed
    }
    ... on Problem { code message }
  }
}

mutation Refund(
  $orderRef: String!
  $refundLines: [RefundLineInput!]
  $idempotencyKey: ID!
) {
  refundOrder(input: {
    orderRef: $orderRef
    lines: $refundLines
    idempotencyKey: $idempotencyKey
  }) {
    ... on RefundOrderSuccess {
      refund { amount currencyCode }
      receivable { amount }
      restored { headline state validUntil }
      pointsReturned
      pointsClawedBack
      replayed
    }
    ... on Problem { code message }
  }
}
"""
