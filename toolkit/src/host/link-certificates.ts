import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { failure } from '../base/failure.ts'
import type { Certificates, Credentials } from '../link/certificates.ts'
import type { Settings } from './settings.ts'

const names = { cert: 'SERVAL_LINK_CERT', key: 'SERVAL_LINK_KEY', ca: 'SERVAL_LINK_CA' } as const
type Part = keyof typeof names
type Files = Readonly<Record<Part, string>>

const wrong = (files: Files, part: Part, what: string, cause?: unknown) =>
  failure('misconfigured', `${names[part]} (${files[part]}): ${what}`, { cause })

const contentOf = (files: Files, part: Part): string => {
  try {
    return readFileSync(files[part], 'utf8')
  } catch (cause) {
    throw wrong(files, part, 'the file cannot be read', cause)
  }
}

const certificatesIn = (files: Files, part: Part, text: string): readonly X509Certificate[] => {
  const lines = text.match(/^-----.*$/gm) ?? []
  const ends = lines.filter((line) => /^-----END .+-----\s*$/.test(line))
  if (lines.length !== 2 * ends.length)
    throw wrong(files, part, 'not every BEGIN line has its END line: it may be half written')
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw wrong(files, part, 'there is no certificate in PEM')
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    throw wrong(files, part, 'a certificate cannot be read')
  }
}

const keyIn = (files: Files, text: string) => {
  try {
    return createPrivateKey(text)
  } catch {
    // What the parser says may quote the key.
    throw wrong(files, 'key', 'there is no private key in PEM, or it is encrypted')
  }
}

/** Throws for credentials with which no other host could be spoken to. */
const checked = (files: Files, nowMs: number): Credentials => {
  const cert = contentOf(files, 'cert')
  const key = contentOf(files, 'key')
  const ca = contentOf(files, 'ca')
  const chain = certificatesIn(files, 'cert', cert)
  const authorities = certificatesIn(files, 'ca', ca)
  const [own] = chain
  if (own === undefined || !own.checkPrivateKey(keyIn(files, key)))
    throw wrong(files, 'key', `is not the key of ${names.cert} (${files.cert})`)
  if (nowMs >= Date.parse(own.validTo)) throw wrong(files, 'cert', `expired on ${own.validTo}`)
  if (nowMs < Date.parse(own.validFrom))
    throw wrong(files, 'cert', `is not valid before ${own.validFrom}`)
  const signs = (issuer: X509Certificate) => own.checkIssued(issuer) && own.verify(issuer.publicKey)
  if (![...authorities, ...chain.slice(1)].some(signs))
    throw wrong(files, 'cert', `is not signed by ${names.ca} (${files.ca})`)
  const credentials = { cert, key, ca }
  try {
    createSecureContext(credentials)
  } catch {
    throw wrong(files, 'cert', 'cannot be used for TLS')
  }
  return credentials
}

/**
 * Certificates from the files that SERVAL_LINK_CERT, SERVAL_LINK_KEY and SERVAL_LINK_CA name; undefined where none is set. Throws
 * `misconfigured`, naming setting and file.
 */
export const linkCertificates = (
  settings: Settings,
  now: () => number,
): Certificates | undefined => {
  const files: Files = {
    cert: settings.text(names.cert, ''),
    key: settings.text(names.key, ''),
    ca: settings.text(names.ca, ''),
  }
  const given = Object.values(files).filter((file) => file !== '')
  if (given.length === 0) return undefined
  if (given.length < 3)
    throw failure('misconfigured', `${Object.values(names).join(', ')}: set all three, or none`)
  let current = checked(files, now())
  return {
    get current() {
      return current
    },
    renew: () => {
      const found = checked(files, now())
      const same = found.cert === current.cert && found.key === current.key
      if (same && found.ca === current.ca) return false
      current = found
      return true
    },
  }
}
