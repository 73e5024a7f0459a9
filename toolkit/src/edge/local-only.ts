import { HttpRefusal } from '../link/http.ts'
import type { Stage } from './edge.ts'

/**
 * For an address that is not public: refuses requests that a page of another origin, or a name made to point here (DNS rebinding), has a browser send.
 */
export const localOnly = (hosts: readonly string[]): Stage => {
  const names = hosts.map((host) => host.toLowerCase())
  return (exchange, next) => {
    const host = (exchange.request.header('host') ?? '').toLowerCase()
    const origin = exchange.request.header('origin')?.toLowerCase()
    if (!names.includes(host.replace(/:\d+$/, '')))
      throw new HttpRefusal(421, `This address answers for ${hosts.join(', ')} only`)
    // Another port of this machine is another origin too.
    if (origin !== undefined && origin.replace(/^https?:\/\//, '') !== host)
      throw new HttpRefusal(421, 'Pages of other origins may not use this address')
    return next(exchange)
  }
}
