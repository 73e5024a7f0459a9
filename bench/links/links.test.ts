import { afterAll, expect, test } from 'vitest'
import { checked } from '../calls/loop.ts'
import type { Input } from '../calls/quotes.ts'
import { installed, notInstalled } from '../machine/about.ts'
import { natsVersion, noNats, startNats, type Nats } from '../machine/nats.ts'
import { linkedOf } from '../sections/links.ts'
import { engines } from './engines.ts'

let nats: Nats | undefined
afterAll(() => nats?.stop())

// Not Moleculer's TCP: it takes four seconds to find the other side.
const known = linkedOf({}).filter(
  ({ runtime, engine }) => runtime === 'node' && engine !== 'moleculer',
)

for (const { engine, nats: needsNats } of known) {
  const missing = [
    ...(installed ? [] : [notInstalled]),
    ...(needsNats && natsVersion() === 'missing' ? [noNats] : []),
  ]
  const skipped = missing.length > 0 ? ` [skipped: ${missing.join('; ')}]` : ''
  test.skipIf(missing.length > 0)(`${engine} answers what it is asked${skipped}`, async () => {
    if (needsNats) nats ??= await startNats()
    const link = await engines[engine]?.()
    const quote = await link?.call(await link.serve(needsNats ? (nats?.url ?? '') : ''))
    if (quote === undefined) throw new Error(`there is no ${engine}`)
    await checked(engine, quote)
    // Nest as it comes validates nothing.
    if (engine.startsWith('nest')) return
    const wrong: Input = { lines: [{ sku: '', quantity: 1 }] }
    expect(await quote(wrong).catch((error: unknown) => error)).toBeInstanceOf(Error)
  })
}
