import type { RequestParts } from '../raw-http.ts'

/** A request whose reply was not as it must be. */
export interface Finding {
  readonly operation: string
  readonly faults: readonly string[]
  /** As small as it was made without the fault going away. */
  readonly curl: string
  readonly seed: number
  readonly index: number
}

/** Quoted for a POSIX shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** The request as a line for a shell; a body that is not plain text comes through base64. */
export const curlOf = (address: string, { method = 'GET', path, headers, body }: RequestParts) => {
  // As requestBytes has it; curl's own default is another.
  const typed = body === undefined ? headers : { 'content-type': 'application/json', ...headers }
  const lines = Object.entries(typed ?? {}).map(([name, value]) =>
    value === '' ? `-H ${quoted(`${name};`)}` : `-H ${quoted(`${name}: ${value}`)}`,
  )
  const bytes =
    body === undefined || typeof body === 'string' || body instanceof Uint8Array
      ? Buffer.from(body ?? '')
      : Buffer.from(JSON.stringify(body))
  const plain = /^[\x20-\x7e]*$/.test(bytes.toString('latin1')) && bytes.length < 4_000
  const [before, data] =
    bytes.length === 0
      ? ['', '']
      : plain
        ? ['', ` --data-raw ${quoted(bytes.toString())}`]
        : [
            `echo ${bytes.subarray(0, 60_000).toString('base64')} | base64 -d | `,
            ' --data-binary @-',
          ]
  return `${before}curl -i --path-as-is -X ${method} ${lines.join(' ')}${data} ${quoted(address + path)}`
}

const withoutField = (body: unknown): unknown[] => {
  if (Array.isArray(body)) return body.map((_, at) => body.toSpliced(at, 1))
  if (typeof body !== 'object' || body === null) return []
  const entries = Object.entries(body)
  return entries.flatMap(([name, inner]) => [
    Object.fromEntries(entries.filter(([other]) => other !== name)),
    ...withoutField(inner).map((less) => ({ ...body, [name]: less })),
  ])
}

/** The same with less: without a header, a query parameter, or a part of its body. */
const lesser = (parts: RequestParts): RequestParts[] => {
  const [path = '', query] = parts.path.split(/\?(.*)/s)
  const parameters = query?.split('&') ?? []
  const headers = Object.entries(parts.headers ?? {})
  return [
    ...headers.map(([name]) => ({
      ...parts,
      headers: Object.fromEntries(headers.filter(([other]) => other !== name)),
    })),
    ...parameters.map((_, at) => {
      const rest = parameters.toSpliced(at, 1)
      return { ...parts, path: rest.length === 0 ? path : `${path}?${rest.join('&')}` }
    }),
    ...withoutField(parts.body).map((body) => ({ ...parts, body })),
  ]
}

const mostTries = 80

/** Takes away what the fault does not need. `fails` sends a request and says whether it has the same fault. */
export const shrink = async (
  parts: RequestParts,
  fails: (parts: RequestParts) => Promise<boolean>,
): Promise<RequestParts> => {
  let smallest = parts
  for (let tries = 0; tries < mostTries;) {
    let found = false
    for (const less of lesser(smallest)) {
      if (++tries >= mostTries) break
      if (!(await fails(less))) continue
      smallest = less
      found = true
      break
    }
    if (!found) break
  }
  return smallest
}
