// What a person writes who makes a small service: the types that `npm run check` spends its time on. Measured by
// scripts/pack.test.ts; not run.

import { command, contract, event, get, post, problem, query, repository, service } from 'serval'
import type { Client } from 'serval'
import { z } from 'zod'

const Item = z.object({ id: z.string(), title: z.string(), tags: z.array(z.string()).optional() })
const NoSuchItem = problem('no-such-item', { kind: 'not-found', title: 'There is no such item' })

export const items = contract('items', {
  operations: {
    add: command({
      summary: 'Adds an item',
      access: 'user',
      repeat: 'key',
      http: post('/items', { status: 201 }),
      input: z.object({ title: z.string().max(100), tags: z.array(z.string()).default([]) }),
      output: Item,
    }),
    item: query({
      summary: 'One item',
      access: 'public',
      http: get('/items/:id'),
      input: z.object({ id: z.string() }),
      output: Item,
      problems: [NoSuchItem],
    }),
    list: query({
      summary: 'All items',
      access: 'public',
      http: get('/items'),
      input: z.object({ limit: z.int().default(20) }),
      output: z.object({ items: z.array(Item) }),
    }),
  },
  events: {
    added: event('item.added', {
      version: 1,
      key: 'itemId',
      data: z.object({ itemId: z.string() }),
    }),
  },
})

interface Items {
  load(id: string): Promise<z.output<typeof Item> | undefined>
  list(limit: number): Promise<readonly z.output<typeof Item>[]>
  add(item: z.output<typeof Item>): void
}

const itemRepository = repository<Items>({ scope: 'aggregate', engines: {} })

export const itemsService = service(items, {
  uses: { items },
  repositories: { items: itemRepository },
  operations: {
    add: ({ title, tags }, { step }) =>
      step(async (s) => {
        const item = { id: s.env.id(), title, tags }
        s.items.add(item)
        s.emit(items.events.added, { itemId: item.id })
        return item
      }),
    item: async ({ id }, { read }) => {
      const found = await read((r) => r.items.load(id))
      if (found === undefined) throw NoSuchItem(undefined)
      return found
    },
    list: async ({ limit }, { read }) => ({ items: [...(await read((r) => r.items.list(limit)))] }),
  },
  subscriptions: (on) => [
    on(items.events.added, async ({ data: { itemId } }, { uses }) => {
      await uses.items.item({ id: itemId })
    }),
  ],
})

export const titleOf = async (client: Client<typeof items>, id: string): Promise<string> =>
  (await client.item({ id })).title
