import type { Hosts } from '../../store/store.ts'
import { change, type Overlay, type Tables } from './tables.ts'

interface HostRow {
  readonly host: string
  readonly until: number
}

const hosts = (tables: Overlay) => tables.table<HostRow>('host')

export const isAlive = (tables: Overlay, host: string, now: number): boolean =>
  (hosts(tables).get(host)?.until ?? 0) > now

export const memoryHosts = (own: Tables): Hosts => ({
  beat: async (host, now, until) =>
    change(own, (tables) => {
      for (const row of hosts(tables).all()) if (row.until < now) hosts(tables).delete(row.host)
      hosts(tables).put(host, { host, until })
      return hosts(tables)
        .all()
        .map((row) => row.host)
        .sort()
    }),
  leave: async (host) => change(own, (tables) => void hosts(tables).delete(host)),
  reset: async () =>
    change(own, (tables) => {
      for (const { host } of hosts(tables).all()) hosts(tables).delete(host)
    }),
})
