import { defaultHttpLimits, type ListenHttp } from '../link/http.ts'
import { naming } from './naming.ts'
import type { Address } from './setup.ts'

export interface HealthSetup extends Address {
  readonly listen: ListenHttp
}

const statuses: Readonly<Record<string, (ready: boolean) => readonly [number, string]>> = {
  '/health/live': () => [200, 'live'],
  '/health/ready': (ready) => (ready ? [200, 'ready'] : [503, 'not-ready']),
}

/** Answers /health/live and /health/ready as a public edge does, for a host that has none. Answers how to end it. */
export const openHealth = async (
  { setting, listen, ...address }: HealthSetup,
  ready: () => boolean,
): Promise<() => Promise<void>> => {
  const json = (status: number, text: string) => ({
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify({ status: text }),
  })
  const server = await naming(
    setting,
    listen({
      ...address,
      limits: defaultHttpLimits,
      handle: ({ method, target }) => {
        const status = Object.hasOwn(statuses, target) ? statuses[target] : undefined
        if (status === undefined) return Promise.resolve(json(404, 'no-such-path'))
        if (method !== 'GET' && method !== 'HEAD')
          return Promise.resolve(json(405, 'method-not-allowed'))
        return Promise.resolve(json(...status(ready())))
      },
      refuse: (status) => ({ status, headers: {} }),
    }),
  )
  return () => server.close()
}
