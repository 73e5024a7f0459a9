import type { Peer } from '../link/directory.ts'

/** Which hosts serve, in versions: whoever knows one can wait for the next. */
export interface Peers {
  readonly version: number
  list(): readonly Peer[]
  get(id: string): Peer | undefined
  set(peer: Peer): void
  delete(id: string): void
  /** Resolves when the version is not `known`, or after `ms`. */
  changed(known: number, ms: number, signal: AbortSignal): Promise<void>
}

export const peerTable = (after: (ms: number, run: () => void) => () => void): Peers => {
  const table = new Map<string, Peer>()
  const waiting = new Set<() => void>()
  let version = 0
  const change = () => {
    version += 1
    for (const wake of [...waiting]) wake()
  }
  return {
    get version() {
      return version
    },
    list: () => [...table.values()],
    get: (id) => table.get(id),
    set: (peer) => {
      table.set(peer.id, peer)
      change()
    },
    delete: (id) => {
      if (table.delete(id)) change()
    },
    changed: (known, ms, signal) =>
      known !== version || ms === 0 || signal.aborted
        ? Promise.resolve()
        : new Promise((resolve) => {
            const end = () => {
              forget()
              waiting.delete(end)
              signal.removeEventListener('abort', end)
              resolve()
            }
            const forget = after(ms, end)
            waiting.add(end)
            signal.addEventListener('abort', end)
          }),
  }
}
