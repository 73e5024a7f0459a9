import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'

/** What this host shows to others, and whom it takes for one of the fleet; texts in PEM. */
export interface Credentials {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** Certificates of the links between hosts, for TLS in which both sides prove themselves. */
export interface Certificates {
  readonly current: Credentials
  /** Looks for renewed ones; answers whether there are. Throws `misconfigured` for what cannot be used, and keeps those before. */
  renew(): boolean
}

/** How an engine's server takes connections over TLS. */
export const mutualTls = {
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: 'TLSv1.3',
  handshakeTimeout: 5_000,
} as const

/** What is logged of one; Node tells no more of a certificate that it does not take. */
export const failedHandshake =
  'a TLS handshake failed: the other side left, speaks no TLS, or has no certificate of this fleet'

const renewalMs = 60_000

/** Looks for renewed certificates once a minute, until the returned function is called. */
export const keepRenewed = (
  { env, log }: { readonly env: Env; readonly log: Logger },
  certificates: Certificates,
  take: (renewed: Credentials) => void,
): (() => void) => {
  const look = () => {
    forget = env.after(renewalMs, look)
    try {
      if (!certificates.renew()) return
      take(certificates.current)
      log.info('the link took its renewed certificates')
    } catch (error) {
      log.warn('the link keeps the certificates that it has', {}, error)
    }
  }
  let forget = env.after(renewalMs, look)
  return () => forget()
}

/** A scheme and its encrypted one, such as `wire` and `wires`. */
export const schemeOf = (plain: string, certificates: Certificates | undefined): string =>
  certificates === undefined ? plain : `${plain}s`

/** Why a host of this address is not called: one side encrypts and the other does not. */
export const refusedScheme = (address: string, own: string) =>
  address.startsWith(`${own}:`)
    ? undefined
    : failure(
        'unavailable',
        `${address} is not called: this host's links are ${own}://, so all of a fleet must be (SERVAL_LINK_CERT)`,
      )
