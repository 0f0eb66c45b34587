// PostGraphile 5 over the same tables, which carry no foreign keys: smart tags tell it of them, as its manual advises.
import { createServer } from 'node:http'
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

const pgl = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [tags],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ['public'], poolConfig: { max: 8 } })],
  grafserv: { graphqlPath: '/graphql', watch: false, graphiql: false, websockets: false },
  grafast: { explain: false }
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
