// The monolith on Hono and Bun's own server: bodies are checked by zod.

import { Hono, type Context } from 'hono'
import type { z } from 'zod'
import { mustBe } from './accounts.ts'
import { Problem, problemBody } from './problem.ts'
import { Count, Login, NewOrder, Product, Registration } from './schemas.ts'
import { listening, openShop } from './shop.ts'

const { accounts, catalog, orders } = await openShop()
const app = new Hono()

const body = async <S extends z.ZodType>(context: Context, schema: S): Promise<z.output<S>> => {
  const given: unknown = await context.req.json().catch(() => {
    throw new Problem(400, 'invalid-input')
  })
  const { success, data } = schema.safeParse(given)
  if (!success) throw new Problem(400, 'invalid-input')
  return data
}
const caller = (context: Context) => accounts.callerOf(context.req.header('authorization'))
const json = { 'content-type': 'application/json' }

app.onError((error, context) => {
  const problem = error instanceof Problem ? error : new Problem(500, 'internal')
  if (problem.status >= 500) process.stderr.write(`${error.stack}\n`)
  const headers = { 'content-type': 'application/problem+json' }
  return context.body(JSON.stringify(problemBody(problem)), problem.status as 500, headers)
})

app.post('/api/v1/auth/register', async (context) =>
  context.json(await accounts.register(await body(context, Registration)), 201),
)
app.post('/api/v1/auth/login', async (context) =>
  context.json(await accounts.login(await body(context, Login))),
)

app.get('/api/v1/products/:sku', async (context) =>
  context.body(await catalog.product(context.req.param('sku')), 200, json),
)
app.post('/api/v1/products', async (context) => {
  mustBe(await caller(context), 'merchant')
  const product = await body(context, Product)
  await catalog.create(product)
  return context.json(product, 201)
})
app.put('/api/v1/stock/:sku', async (context) => {
  mustBe(await caller(context), 'merchant')
  const count = await body(context, Count)
  await catalog.count(context.req.param('sku'), count.onHand)
  return context.json(count)
})

app.post('/api/v1/orders', async (context) => {
  const { id } = await caller(context)
  const order = await body(context, NewOrder)
  return context.body(
    await orders.place(id, context.req.header('idempotency-key'), order),
    201,
    json,
  )
})
app.get('/audit', async (context) => context.json(await orders.audit()))

interface BunRuntime {
  serve(options: { hostname: string; port: number; fetch: typeof app.fetch }): { port: number }
}
// The bench is checked with Node's types; this file runs on Bun alone.
const { Bun } = globalThis as unknown as { Bun: BunRuntime }
listening(Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: app.fetch }).port)
