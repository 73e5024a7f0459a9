import type { Contender } from '../contenders/index.ts'
import { interleaved, load, watch, type Bench } from '../measuring.ts'
import { customers } from '../prepare.ts'

/** Fewer than for the rest: each costs some 20 ms of a core, and more would only wait. */
const connections = 16

/** Both are a password hash and little else: alike wherever the hash is the same. */
export const measureAuth = async (
  bench: Bench,
  contenders: readonly Contender[],
): Promise<void> => {
  await interleaved(bench, 'auth', contenders, async (contender, n) => {
    const used = watch(contender)
    const run = `new-${contender.id}-${n}`
    const registrations = await load(
      bench,
      contender,
      { kind: 'registrations', run },
      { connections },
    )
    const accounts = customers.map(({ email, password }) => ({ email, password }))
    const logins = await load(bench, contender, { kind: 'logins', accounts }, { connections })
    const usage = used()
    return {
      values: {
        'auth.registrations': registrations.answered / registrations.seconds,
        'auth.logins': logins.answered / logins.seconds,
        'auth.cpu':
          ((usage.server + usage.postgres) / (registrations.answered + logins.answered)) * 1_000,
      },
      raw: {
        registrations,
        logins,
        driverCpu: registrations.driverCpu + logins.driverCpu,
        usage,
      },
    }
  })
}
