import { rfc3339, service, type Env } from 'serval'
import { acquirer, AcquirerDown, ChargeDeclined, ChargeVoided } from './contract.ts'
import { charges, type Charge } from './repository.ts'
import { behaviourOf, type Behaviour } from './tokens.ts'

/** What a charge or its repeat answers. */
const answer = (charge: Charge): { chargeId: string } => {
  if (charge.voided || charge.chargeId === undefined) throw ChargeVoided(undefined)
  return { chargeId: charge.chargeId }
}

/** Takes the time that the card's token takes. Rejects when the caller gives up first: then nothing is charged. */
const patience = (behaviour: Behaviour, env: Env, signal: AbortSignal): Promise<void> => {
  if (behaviour.kind === 'slow') return env.sleep(behaviour.ms, signal)
  if (behaviour.kind !== 'hangs') return Promise.resolve()
  return new Promise((_, reject) => {
    const giveUp = () => reject(signal.reason as Error)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
}

/** The built-in payment provider, for development. It is told apart from a real one by nothing but its money. */
export const acquirerService = service(acquirer, {
  repositories: { charges },
  operations: {
    async charge({ reference, amount, token }, { env, signal, read, step }) {
      const before = await read((r) => r.charges.find(reference))
      if (before !== undefined) return answer(before)
      const behaviour = behaviourOf(token)
      if (behaviour.kind === 'declines') throw ChargeDeclined(undefined)
      await patience(behaviour, env, signal)
      let first = true
      const charge = await step(async (s) => {
        if (
          behaviour.kind === 'flaky' &&
          (await s.charges.countFailure(reference, behaviour.failures))
        )
          return undefined
        const at = rfc3339(s.env.now())
        const wanted = { reference, chargeId: s.env.id(), amount, at }
        if (!first) return s.charges.charge(wanted)
        first = false
        return s.charges.add(wanted)
      })
      // Thrown out here, so that the step which counts the failure commits.
      if (charge === undefined) throw AcquirerDown(undefined)
      return answer(charge)
    },
    async voidCharge({ reference }, { step }) {
      const { chargeId, amount } = await step((s) =>
        s.charges.void(reference, rfc3339(s.env.now())),
      )
      return { refunded: chargeId !== undefined, ...(amount === undefined ? {} : { amount }) }
    },
    async audit(_, { read }) {
      const { charged, ...counts } = await read((r) => r.charges.statement())
      return { ...counts, charged: [...charged] }
    },
  },
})
