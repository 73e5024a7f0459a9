import type { Env } from '../../base/env.ts'
import { asFailure, type ServalError } from '../../base/failure.ts'
import { loop, type Loop } from '../../base/loop.ts'
import type { Peer } from '../../link/directory.ts'
import { refusal, type ConsulApi } from './api.ts'

export interface RegistrationOptions {
  readonly env: Env
  readonly api: ConsulApi
  /** Under which name all hosts of the fleet are registered. */
  readonly service: string
  /** How often the check is passed; it lasts three times as long. */
  readonly passMs: number
}

export interface Registration {
  /** Registers; resolves when that is done, or after a second, and rejects when Consul refuses. Goes on until `leave`. */
  set(self: Peer): Promise<void>
  /** Waits a second at most. */
  leave(): Promise<void>
}

const timeoutMs = 5_000
const patienceMs = 1_000
/** The least that Consul takes: a host that is gone is forgotten, not only left out. */
const forgottenAfter = '1m'

/** Addresses that mean every interface of this machine: others need the agent's. */
const unspecified = new Set(['0.0.0.0', '[::]', '::'])

const registered = ({ id, address, contracts }: Peer, service: string, passMs: number) => {
  const { protocol, hostname, port } = new URL(address)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    ID: id,
    Name: service,
    ...(!unspecified.has(hostname) && { Address: host }),
    Port: Number(port),
    Tags: contracts,
    Meta: { serval: protocol.slice(0, -1) },
    Check: {
      CheckID: `service:${id}`,
      TTL: `${passMs * 3}ms`,
      Status: 'passing',
      DeregisterCriticalServiceAfter: forgottenAfter,
    },
  }
}

/** Keeps this host in Consul: registers it, passes its check, and registers it again when Consul has forgotten it. */
export const registration = ({ env, api, service, passMs }: RegistrationOptions): Registration => {
  let keeping: Loop | undefined
  let self: Peer | undefined
  let told: Peer | undefined
  /** Those who wait for the registration of `self`. */
  const waiting = new Set<(refused: ServalError | undefined) => void>()
  const settle = (refused?: ServalError) => {
    for (const end of waiting) end(refused)
  }

  const register = async (peer: Peer, signal: AbortSignal): Promise<void> => {
    const answer = await api('PUT', '/v1/agent/service/register?replace-existing-checks=true', {
      body: registered(peer, service, passMs),
      timeoutMs,
      signal,
    })
    if (answer.status !== 200) throw refusal(`the registration of ${peer.id}`, answer)
    told = peer
    if (peer === self) settle()
  }

  const turn = async (signal: AbortSignal): Promise<number> => {
    if (self === undefined) return passMs
    if (told !== self) await register(self, signal)
    const path = `/v1/agent/check/pass/${encodeURIComponent(`service:${self.id}`)}`
    const { status } = await api('PUT', path, { timeoutMs, signal })
    // It does not know the check: its agent was started anew.
    if (status !== 200) await register(self, signal)
    return told === self ? passMs : 0
  }

  // That Consul is away keeps nobody from serving; that it refuses, somebody must put right.
  const failed = (error: unknown) => {
    const why = asFailure(error)
    if (why.code === 'misconfigured') settle(why)
  }

  return {
    set: (peer) => {
      self = peer
      const registered = new Promise<void>((resolve, reject) => {
        const end = (refused: ServalError | undefined) => {
          forget()
          waiting.delete(end)
          if (refused === undefined) resolve()
          else reject(refused)
        }
        const forget = env.after(patienceMs, () => end(undefined))
        waiting.add(end)
      })
      if (keeping === undefined) keeping = loop({ env, turn, failed })
      else keeping.wake()
      const kept = keeping
      return registered.catch((refused: unknown) => {
        if (keeping === kept) keeping = undefined
        void kept.stop()
        throw refused
      })
    },
    leave: async () => {
      const left = self
      self = told = undefined
      const stopped = keeping?.stop()
      keeping = undefined
      if (left === undefined) return
      // A registration under way would come after it.
      const gone = async () => {
        await stopped
        await api('PUT', `/v1/agent/service/deregister/${encodeURIComponent(left.id)}`, {
          timeoutMs: patienceMs,
        })
      }
      await Promise.race([gone(), env.sleep(patienceMs)]).catch(() => undefined)
    },
  }
}
