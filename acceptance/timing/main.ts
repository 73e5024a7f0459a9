import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openConnection } from '../connection.ts'
import { randomFrom } from '../fuzz/random.ts'
import { killAll, startShop } from '../shop-process.ts'
import { mean, quantile, welch } from '../statistics.ts'
import { openWorld } from '../world.ts'

/*
 * Whether the time that a failed sign-in takes tells whether the address is known. Attempts on addresses that are known
 * and on addresses that are not are sent one by one, in an order drawn by lot. Each address is tried as often as it may be
 * before it is locked, on both sides, so that the fourth try of one is compared with the fourth try of another.
 */

const help = `
  Compares the time of sign-ins with a wrong password for known and for unknown addresses: Welch's t, which must
  stay below 4.5. Run it on a machine that does nothing else.

  npm run timing -- [--attempts N] [--setup NAME] [--seed N]

    --attempts N   of each kind (default 2000)
    --setup NAME   of the shop that is started for it (default kitten)
    --seed N       of the order
`

/** Of TVLA (Goodwill et al., 2011): beyond it two samples differ. */
const mostT = 4.5
const triesPerAddress = 4
const warmUp = 100

const { values } = parseArgs({
  options: {
    attempts: { type: 'string', default: '2000' },
    setup: { type: 'string', default: 'kitten' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const run = async (): Promise<boolean> => {
  const attempts = Number(values.attempts)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  const random = randomFrom(seed)
  const data = mkdtempSync(join(tmpdir(), 'serval-timing-'))
  try {
    const shop = await startShop({ data, setup: values.setup })
    const world = await openWorld(shop)
    const connection = openConnection(shop.address)
    const digits = (at: number) => String(at).padStart(6, '0')
    const addresses = Math.ceil((attempts + warmUp) / triesPerAddress)
    console.error(`  registering ${addresses} users …`)
    for (let at = 0; at < addresses; at++)
      await world.register({ email: `known-${digits(at)}@example.org` })

    const login = async (email: string): Promise<number> => {
      const parts = {
        method: 'POST',
        path: '/api/v1/auth/login',
        headers: { 'x-serval-operator': shop.operatorKey },
        body: { email, password: 'not the password' },
      }
      const begun = performance.now()
      const reply = await connection.send(parts)
      const took = performance.now() - begun
      if (reply?.status !== 401) throw new Error(`the reply is ${reply?.status}: ${reply?.text}`)
      return took
    }
    const kinds = ['known', 'other'] as const
    const left = kinds.flatMap((kind) =>
      Array.from({ length: addresses * triesPerAddress }, (_, at) => [kind, at] as const),
    )
    // Fisher and Yates.
    for (let at = left.length - 1; at > 0; at--) {
      const other = random.below(at + 1)
      const [a, b] = [left[at], left[other]]
      if (a !== undefined && b !== undefined) [left[at], left[other]] = [b, a]
    }
    const times = { known: [] as number[], other: [] as number[] }
    for (const [index, [kind, at]] of left.entries()) {
      const took = await login(`${kind}-${digits(Math.floor(at / triesPerAddress))}@example.org`)
      if (index >= 2 * warmUp) times[kind].push(took)
      if (index % 500 === 0) console.error(`  ${index} of ${left.length}`)
    }
    const pooled = [...times.known, ...times.other]
    const most = quantile(pooled, 0.95)
    const below = (all: readonly number[]) => all.filter((ms) => ms < most)
    const t = welch(times.known, times.other)
    const tBelow = welch(below(times.known), below(times.other))
    console.log(
      `\n  seed ${seed}, ${process.versions['bun'] === undefined ? 'Node' : 'Bun'}, ${values.setup}\n`,
    )
    for (const kind of kinds) {
      const all = times[kind]
      const ms = [mean(all), quantile(all, 0.5), quantile(all, 0.95)].map((one) => one.toFixed(3))
      console.log(
        `  ${kind === 'other' ? 'unknown' : kind}: ${all.length} attempts, mean ${ms[0]} ms, median ${ms[1]} ms, 95 % below ${ms[2]} ms`,
      )
    }
    console.log(
      `\n  Welch's t ${t.toFixed(2)}; of what is below the 95th percentile ${tBelow.toFixed(2)}; it may be ±${mostT}\n`,
    )
    return Math.max(Math.abs(t), Math.abs(tBelow)) < mostT
  } finally {
    await killAll()
    rmSync(data, { recursive: true, force: true })
  }
}

if (values.help) console.log(help)
else process.exitCode = (await run()) ? 0 : 1
