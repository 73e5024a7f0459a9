import type { Service } from '../service/index.ts'
import type { StoreEngine } from '../store/engine.ts'

/** Long after the other host must have read the same message. */
const patienceMs = 250

/** A message on its way to two hosts. */
interface Meeting {
  /** Resolves when it has reached both. */
  readonly met: Promise<void>
  readonly meet: () => void
  /** Resolves when the first has handled it. */
  readonly handled: Promise<void>
  readonly end: () => void
}

const meeting = (): Meeting => {
  const { promise: met, resolve: meet } = Promise.withResolvers<void>()
  const { promise: handled, resolve: end } = Promise.withResolvers<void>()
  return { met, meet, handled, end }
}

const within = async (wanted: Promise<void>): Promise<void> => {
  let late: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<void>((resolve) => (late = setTimeout(resolve, patienceMs)))
  await Promise.race([wanted, over])
  clearTimeout(late)
}

/**
 * Services for two hosts that both are delivered every message. The first to be given one waits until the other has it in hand too, and then
 * handles it; the other handles it when the first has ended, so that its effects meet those of a delivery that was settled. What cannot reach
 * both, as a host has moved its cursor on, goes its way after a quarter of a second.
 */
export const deliveredTwice = (
  services: readonly Service[],
): readonly [readonly Service[], readonly Service[]] => {
  const meetings = new Map<string, Meeting>()
  const ofHost = (service: Service): Service => {
    const arrived = new Set<string>()
    const handle = (inner: Service['subscriptions'][number]['handle']): typeof inner => {
      return async (message, context) => {
        const id = `${service.contract.name} ${message.id}`
        if (arrived.has(id)) return inner(message, context)
        arrived.add(id)
        const known = meetings.get(id)
        if (known !== undefined) {
          known.meet()
          await within(known.handled)
          return inner(message, context)
        }
        const mine = meeting()
        meetings.set(id, mine)
        await within(mine.met)
        return inner(message, context).finally(mine.end)
      }
    }
    return {
      ...service,
      subscriptions: service.subscriptions.map((one) => ({ ...one, handle: handle(one.handle) })),
    }
  }
  return [services.map((one) => ofHost(one)), services.map((one) => ofHost(one))]
}

/** Stores whose hosts do not hear of each other, and all do all of the work. */
export const takingItselfForTheOnlyOne = (stores: StoreEngine): StoreEngine => ({
  ...stores,
  open: async (service, repositories, env) => {
    const store = await stores.open(service, repositories, env)
    const { hosts } = store
    return {
      ...store,
      hosts: {
        reset: () => hosts.reset(),
        leave: (host) => hosts.leave(host),
        beat: async (host, now, until) => {
          await hosts.beat(host, now, until)
          return [host]
        },
      },
    }
  },
})
