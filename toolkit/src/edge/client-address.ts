import { failure } from '../base/failure.ts'
import type { HttpRequest } from '../link/http.ts'

const ipv4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/
const ipv4Prefix = 0xffffn << 32n

const parseIpv4 = (text: string): bigint | undefined => {
  const bytes = ipv4.exec(text)?.slice(1).map(Number)
  if (bytes === undefined || bytes.some((byte) => byte > 255)) return undefined
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

/** The 16-bit groups of a part of an IPv6 address; the last two may be written as an IPv4 address. */
const groupsOf = (part: string): bigint[] | undefined => {
  if (part === '') return []
  const groups: bigint[] = []
  const texts = part.split(':')
  for (const [index, text] of texts.entries()) {
    const embedded = index === texts.length - 1 ? parseIpv4(text) : undefined
    if (embedded !== undefined) groups.push(embedded >> 16n, embedded & 0xffffn)
    else if (/^[\da-f]{1,4}$/i.test(text)) groups.push(BigInt(`0x${text}`))
    else return undefined
  }
  return groups
}

const parseIpv6 = (text: string): bigint | undefined => {
  const [left = '', right, more] = text.split('::')
  const [before, after] = [groupsOf(left), groupsOf(right ?? '')]
  if (before === undefined || after === undefined || more !== undefined) return undefined
  const missing = 8 - before.length - after.length
  if (right === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...before, ...Array.from({ length: missing }, () => 0n), ...after]
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n)
}

/** An address as 128 bits (RFC 4291), one of IPv4 as IPv6 maps it; a zone is left away. Undefined for anything else. */
const parseAddress = (text: string): bigint | undefined => {
  if (!text.includes(':')) {
    const bits = parseIpv4(text)
    return bits === undefined ? undefined : ipv4Prefix | bits
  }
  return parseIpv6(text.replace(/%.*$/s, ''))
}

const isIpv4 = (bits: bigint): boolean => bits >> 32n === 0xffffn

const ipv4Text = (bits: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join('.')

/** A range of addresses: those whose bits above `shift` are `bits`. */
interface Range {
  readonly bits: bigint
  readonly shift: bigint
}

/** The proxies whose word about a client's address is taken. */
export type TrustedProxies = readonly Range[]

/** Reads addresses and CIDR ranges (`10.0.0.0/8`, `fd00::/8`, `127.0.0.1`). Anything else is a `misconfigured` failure. */
export const trustedProxies = (ranges: readonly string[]): TrustedProxies =>
  ranges.map((range) => {
    const [text = '', prefix, more] = range.split('/')
    const bits = parseAddress(text)
    const width = text.includes(':') ? 128 : 32
    const length = prefix === undefined ? width : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN
    if (bits === undefined || more !== undefined || !(length <= width))
      throw failure(
        'misconfigured',
        `trustedProxies takes addresses and ranges such as 10.0.0.0/8 or fd00::/8; it has ${JSON.stringify(range)}`,
      )
    const shift = BigInt(width - length)
    return { bits: bits >> shift, shift }
  })

/** As proxies write it: with a port, an IPv6 address in brackets, or neither. */
const forwardedAddress = (text: string): string =>
  /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text

const normal = (text: string, bits: bigint | undefined): string =>
  bits !== undefined && isIpv4(bits) ? ipv4Text(bits) : text.replace(/%.*$/s, '').toLowerCase()

/**
 * Where a request comes from: the connection's other end, or, when that is a trusted proxy, the rightmost address of
 * X-Forwarded-For that is none. What stands to its left anyone could have written. IPv4 in IPv6 is given as IPv4.
 */
export const clientAddress = (request: HttpRequest, trusted: TrustedProxies = []): string => {
  let text = request.remoteAddress
  if (trusted.length === 0 && !text.includes(':')) return text
  const forwarded = request.header('x-forwarded-for')?.split(',') ?? []
  for (;;) {
    const bits = parseAddress(text)
    const isTrusted =
      bits !== undefined && trusted.some((range) => bits >> range.shift === range.bits)
    const before = isTrusted ? forwarded.pop() : undefined
    const next = before === undefined ? undefined : forwardedAddress(before.trim())
    // `unknown`, or no address at all: the proxy that says so is the last place that is known.
    if (next === undefined || parseAddress(next) === undefined) return normal(text, bits)
    text = next
  }
}

/** Well-known prefix of IPv4 clients that a translator speaks for (RFC 6052): one /64 would hold them all. */
const nat64 = 0x64_ff9bn << 64n

/** What is counted as one client: an IPv4 address, or an IPv6 network of 64 bits, since a client has all of it. */
export const networkOf = (address: string): string => {
  if (!address.includes(':')) return address
  const bits = parseAddress(address)
  if (bits === undefined) return address
  if (isIpv4(bits) || bits >> 32n === nat64) return ipv4Text(bits & 0xffff_ffffn)
  return `${(bits >> 64n).toString(16)}::/64`
}
