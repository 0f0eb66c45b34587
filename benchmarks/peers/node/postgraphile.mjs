// PostGraphile 5 over the same tables, which carry no foreign keys: smart tags tell it of them, as its manual advises.
// As its guides of tokens and security have it, the server verifies them and hands role and claims to PostgreSQL as settings
// of the transaction, where policies on rows read them (benchmarks/peers/postgraphile.py). ANONYMOUS=1 leaves all that out.
import { createServer } from 'node:http'
import { createVerifier } from 'fast-jwt'
import { postgraphile } from 'postgraphile'
import { makePgService } from 'postgraphile/adaptors/pg'
import { grafserv } from 'postgraphile/grafserv/node'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { jsonPgSmartTags } from 'postgraphile/utils'

const tags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      coupons: {
        tags: {
          foreignKey: [
            '(member_id) references members (member_id)|@fieldName member|@foreignFieldName coupons',
            '(template_id) references coupon_templates (id)|@fieldName template|@foreignFieldName coupons'
          ]
        }
      },
      coupon_templates: {
        tags: { foreignKey: '(campaign_id) references campaigns (id)|@fieldName campaign|@foreignFieldName templates' }
      },
      campaigns: {
        tags: { foreignKey: '(merchant_id) references merchants (id)|@fieldName merchant|@foreignFieldName campaigns' }
      }
    }
  }
})

const anonymous = process.env.ANONYMOUS === '1'
const schemas = anonymous ? ['public'] : ['public', 'postgraphile_peer']

// Verified tokens are remembered, as the manual of fast-jwt has it.
const verify = createVerifier({
  key: process.env.PUBLIC_KEY,
  algorithms: ['EdDSA'],
  allowedIss: 'laurel',
  allowedAud: 'laurel',
  cache: 20_000
})

const context = (request) => {
  const header = request.node?.req.headers.authorization
  const claims = header ? { 'jwt.claims.sub': verify(header.slice('Bearer '.length)).sub } : {}
  return { pgSettings: { role: 'postgraphile_visitor', ...claims } }
}

const pgl = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [tags],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas, poolConfig: { max: 8 } })],
  grafserv: { graphqlPath: '/graphql', watch: false, graphiql: false, websockets: false },
  grafast: { explain: false, ...(anonymous ? {} : { context }) }
})

if (process.argv[2] === 'print') {
  const { schema } = await pgl.getSchemaResult()
  const { printSchema } = await import('graphql')
  console.log(printSchema(schema))
  process.exit(0)
}

const server = createServer()
server.on('error', console.error)
await pgl.createServ(grafserv).addTo(server)
server.listen(Number(process.env.PORT), '127.0.0.1')
