// mercurius with graphql-jit and loaders, as its manual advises: one loader per nested field, prepared statements.
import { createVerifier } from 'fast-jwt'
import Fastify from 'fastify'
import { GraphQLScalarType } from 'graphql'
import mercurius from 'mercurius'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 })
const query = async (name, text, values) => (await pool.query({ name, text, values })).rows

// Verified tokens are remembered, as the manual of fast-jwt has it.
const verify = createVerifier({
  key: process.env.PUBLIC_KEY,
  algorithms: ['EdDSA'],
  allowedIss: 'laurel',
  allowedAud: 'laurel',
  cache: 20_000
})

const schema = `
  enum CouponState { CLAIMED RESERVED REDEEMED EXPIRED VOIDED }
  scalar DateTime
  type Merchant { id: ID! name: String! }
  type Campaign { id: ID! name: String! merchant: Merchant }
  type CouponTemplate { id: ID! name: String! campaign: Campaign }
  type Coupon { id: ID! state: CouponState! validUntil: DateTime! template: CouponTemplate! }
  type CouponEdge { node: Coupon! }
  type CouponConnection { edges: [CouponEdge!]! }
  type Wallet { coupons(first: Int = 20): CouponConnection! }
  type Member { id: ID! locale: String! joinedAt: DateTime! wallet: Wallet! }
  type Query { me: Member }
`

const resolvers = {
  DateTime: new GraphQLScalarType({
    name: 'DateTime',
    serialize: (value) => (value instanceof Date ? value.toISOString() : value)
  }),
  Query: {
    me: async (_, __, { subject }) => {
      if (subject === null) return null
      const [row] = await query(
        'me', 'SELECT member_id, locale, joined_at FROM members WHERE external_ref = $1', [subject])
      return row && { id: row.member_id, locale: row.locale, joinedAt: row.joined_at }
    }
  },
  Member: { wallet: ({ id }) => ({ memberId: id }) },
  Wallet: {
    coupons: async ({ memberId }, { first }) => {
      const rows = await query(
        'coupons',
        `SELECT id, valid_until, template_id,
                CASE WHEN state = 'CLAIMED' AND valid_until <= now() THEN 'EXPIRED' ELSE state END AS state
         FROM coupons WHERE member_id = $1 ORDER BY claimed_at DESC, id DESC LIMIT $2`,
        [memberId, first])
      return {
        edges: rows.map((row) => ({
          node: { id: row.id, state: row.state, validUntil: row.valid_until, templateId: row.template_id }
        }))
      }
    }
  }
}

// The rows of these keys, one statement per level, in the order of the keys.
const byKey = async (queries, key, name, text, shape) => {
  const ids = [...new Set(queries.map(({ obj }) => obj[key]))]
  const found = new Map((await query(name, text, [ids])).map((row) => [row.id, shape(row)]))
  return queries.map(({ obj }) => found.get(obj[key]))
}

const loaders = {
  Coupon: {
    template: (queries) => byKey(
      queries, 'templateId',
      'templates', 'SELECT id, name, campaign_id FROM coupon_templates WHERE id = ANY($1::uuid[])',
      (row) => ({ id: row.id, name: row.name, campaignId: row.campaign_id }))
  },
  CouponTemplate: {
    campaign: (queries) => byKey(
      queries, 'campaignId',
      'campaigns', 'SELECT id, name, merchant_id FROM campaigns WHERE id = ANY($1::uuid[])',
      (row) => ({ id: row.id, name: row.name, merchantId: row.merchant_id }))
  },
  Campaign: {
    merchant: (queries) => byKey(
      queries, 'merchantId',
      'merchants', 'SELECT id, name FROM merchants WHERE id = ANY($1::uuid[])',
      (row) => ({ id: row.id, name: row.name }))
  }
}

const context = (request) => {
  const header = request.headers.authorization
  return { subject: header ? verify(header.slice('Bearer '.length)).sub : null }
}

const app = Fastify()
app.register(mercurius, { schema, resolvers, loaders, context, jit: 1, graphiql: false })
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
