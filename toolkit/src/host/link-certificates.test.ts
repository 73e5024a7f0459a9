import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { manualEnv } from '../testing/manual-env.ts'
import { testOnly } from '../link/test-only-certificates.suite.ts'
import { linkCertificates } from './link-certificates.ts'
import { settingsFrom } from './settings.ts'

const { now } = manualEnv()
const folder = mkdtempSync(join(tmpdir(), 'serval-certificates-'))
afterAll(() => rmSync(folder, { recursive: true }))
const fileOf = (name: string) => join(folder, `${name}.pem`)
const write = (files: Readonly<Record<string, string>>) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(fileOf(name), text)
}
beforeEach(() => write(testOnly.host))

const variables = {
  SERVAL_LINK_CERT: fileOf('cert'),
  SERVAL_LINK_KEY: fileOf('key'),
  SERVAL_LINK_CA: fileOf('ca'),
}
const read = (more: Readonly<Record<string, string>> = {}, at = now) =>
  linkCertificates(settingsFrom({ ...variables, ...more }), at)

test('the three files are read; where none is set there is no TLS', () => {
  expect(read()?.current).toEqual(testOnly.host)
  expect(linkCertificates(settingsFrom({}), now)).toBeUndefined()
})

test('what cannot be used is told at the start, with setting and file, and nothing of the key', () => {
  const { host, other, expired } = testOnly
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, (() => number)?])[] = [
    [`SERVAL_LINK_CERT (${fileOf('cert')}): there is no certificate in PEM`, { cert: 'x' }],
    [`SERVAL_LINK_CERT (${fileOf('cert')}): a certificate cannot be read`, { cert: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----' }],
    [`SERVAL_LINK_CERT (${fileOf('cert')}): cannot be used for TLS`, { cert: `${host.cert}-----BEGIN CERTIFICATE-----\nM-IB\n-----END CERTIFICATE-----\n` }],
    [`SERVAL_LINK_CERT (${fileOf('cert')}): expired on Feb  1 00:00:00 2020 GMT`, expired],
    [`SERVAL_LINK_CERT (${fileOf('cert')}): is not valid before Jan  1 00:00:00 2020 GMT`, host, () => 0],
    [`SERVAL_LINK_CERT (${fileOf('cert')}): is not signed by SERVAL_LINK_CA (${fileOf('ca')})`, { ca: other.ca }],
    [`SERVAL_LINK_KEY (${fileOf('key')}): is not the key of SERVAL_LINK_CERT (${fileOf('cert')})`, { key: other.key }],
    [`SERVAL_LINK_KEY (${fileOf('key')}): there is no private key in PEM, or it is encrypted`, { key: host.key.replace('MIG', 'MIX') }],
    [`SERVAL_LINK_CA (${fileOf('ca')}): there is no certificate in PEM`, { ca: host.key }],
  ] // prettier-ignore
  for (const [detail, files, at] of cases) {
    write({ ...host, ...files })
    expect(() => read({}, at)).toThrow(detail)
  }
  const missing = fileOf('nothing')
  const gone = `SERVAL_LINK_KEY (${missing}): the file cannot be read`
  write(host)
  expect(() => read({ SERVAL_LINK_KEY: missing })).toThrow(gone)
  expect(() => read({ SERVAL_LINK_CA: '' })).toThrow(
    'SERVAL_LINK_CERT, SERVAL_LINK_KEY, SERVAL_LINK_CA: set all three, or none',
  )
})

test('files that are half written are not taken, wherever they are cut', () => {
  const { host, other } = testOnly
  const certificates = read()
  const cut = 'not every BEGIN line has its END line'
  for (const left of [10, 25, 200, other.ca.length - 30, other.ca.length - 8]) {
    const half = other.ca.slice(0, left)
    for (const part of ['cert', 'ca'] as const) {
      write({ ...host, [part]: `${host[part]}${half}` })
      expect(() => certificates?.renew(), `${part}, ${left}`).toThrow(cut)
    }
  }
  expect(certificates?.current).toEqual(host)
  write({ ...host, ca: `${host.ca}${other.ca}`.replaceAll('\n', '\r\n') })
  expect(certificates?.renew()).toBe(true)
})

test('renewed files are taken; those that do not fit are not, and the former stay', () => {
  const certificates = read()
  expect(certificates?.renew()).toBe(false)
  write({ key: testOnly.other.key })
  expect(() => certificates?.renew()).toThrow('is not the key of')
  expect(certificates?.current).toEqual(testOnly.host)
  write(testOnly.other)
  expect(certificates?.renew()).toBe(true)
  expect(certificates?.current).toEqual(testOnly.other)
})
