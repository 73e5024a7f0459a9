import { HttpRefusal } from '../link/http.ts'
import type { Stage } from './edge.ts'

/**
 * For an address that is not public: refuses requests that a page of another origin, or a name made to point here (DNS rebinding), has a browser send.
 */
export const localOnly = (hosts: readonly string[]): Stage => {
  const known = (authority: string) => hosts.includes(authority.replace(/:\d+$/, '').toLowerCase())
  return (exchange, next) => {
    const host = exchange.request.header('host') ?? ''
    const origin = exchange.request.header('origin')
    if (!known(host)) throw new HttpRefusal(421, `This address answers for ${hosts.join(', ')} only`)
    if (origin !== undefined && !known(origin.replace(/^https?:\/\//, ''))) throw new HttpRefusal(421, 'Pages of other origins may not use this address')
    return next(exchange)
  }
}
