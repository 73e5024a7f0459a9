// The monolith on Fastify: bodies are checked by its own validator (ajv), from the same schemas.

import fastify from 'fastify'
import { z } from 'zod'
import { mustBe } from './accounts.ts'
import { Problem, problemBody } from './problem.ts'
import { Count, Login, NewOrder, Product, Registration } from './schemas.ts'
import { listening, openShop } from './shop.ts'

const { accounts, catalog, orders } = await openShop()
const app = fastify({
  bodyLimit: 1_048_576,
  ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
})
const body = (schema: z.ZodType) => ({
  schema: { body: z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }) },
})

app.setErrorHandler((error: Error & { statusCode?: number }, _, reply) => {
  const problem =
    error instanceof Problem ? error : new Problem(error.statusCode ?? 500, 'invalid-input')
  if (problem.status >= 500) process.stderr.write(`${error.stack}\n`)
  return reply.code(problem.status).type('application/problem+json').send(problemBody(problem))
})

app.post<{ Body: Registration }>(
  '/api/v1/auth/register',
  body(Registration),
  async (request, reply) => reply.code(201).send(await accounts.register(request.body)),
)
app.post<{ Body: Login }>('/api/v1/auth/login', body(Login), (request) =>
  accounts.login(request.body),
)

app.get<{ Params: { sku: string } }>('/api/v1/products/:sku', async (request, reply) => {
  const text = await catalog.product(request.params.sku)
  return reply.type('application/json').send(text)
})
app.post<{ Body: Product }>('/api/v1/products', body(Product), async (request, reply) => {
  mustBe(await accounts.callerOf(request.headers.authorization), 'merchant')
  await catalog.create(request.body)
  return reply.code(201).send(request.body)
})
app.put<{ Params: { sku: string }; Body: { onHand: number } }>(
  '/api/v1/stock/:sku',
  body(Count),
  async (request) => {
    mustBe(await accounts.callerOf(request.headers.authorization), 'merchant')
    await catalog.count(request.params.sku, request.body.onHand)
    return request.body
  },
)

app.post<{ Body: NewOrder }>('/api/v1/orders', body(NewOrder), async (request, reply) => {
  const caller = await accounts.callerOf(request.headers.authorization)
  const key = request.headers['idempotency-key'] as string | undefined
  const text = await orders.place(caller.id, key, request.body)
  return reply.code(201).type('application/json').send(text)
})
app.get('/audit', () => orders.audit())

await app.listen({ host: '127.0.0.1', port: 0 })
listening((app.server.address() as { port: number }).port)
