import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemEnv, type Env } from '../../base/env.ts'
import { watchedDirectory } from '../../link/watched-directory.suite.ts'
import { eventually } from '../../testing/eventually.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { kubernetesDirectory } from './directory.ts'

/* Kubernetes itself is not here: this is a fake of one list and one watch of its API, after its documentation. */

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Endpoint {
  readonly address: string
  readonly uid?: string
  readonly ready?: boolean
  readonly terminating?: boolean
}

const slice = (
  name: string,
  service: string,
  endpoints: readonly Endpoint[],
  more: object = {},
) => ({
  metadata: {
    name,
    resourceVersion: '1',
    labels: { 'kubernetes.io/service-name': service },
  },
  addressType: 'IPv4',
  endpoints: endpoints.map(({ address, uid, ready = true, terminating = false }) => ({
    addresses: [address],
    conditions: { ready, serving: ready, terminating },
    nodeName: 'node',
    ...(uid !== undefined && { targetRef: { kind: 'Pod', uid } }),
  })),
  ports: [{ name: 'link', port: 7070, protocol: 'TCP' }],
  ...more,
})

const fakeKubernetes = async (
  make: (handle: (q: IncomingMessage, r: ServerResponse) => void) => Server = createServer,
) => {
  const fake = {
    slices: [] as ReturnType<typeof slice>[],
    version: 100,
    requests: [] as URLSearchParams[],
    paths: new Set<string>(),
    tokens: [] as (string | undefined)[],
    watches: new Set<ServerResponse>(),
    /** What is answered to a list, or a watch, instead. */
    list: undefined as ((response: ServerResponse) => void) | undefined,
    watch: undefined as ((response: ServerResponse) => void) | undefined,
    pageSize: 100,
    say: (line: unknown) => {
      const text = typeof line === 'string' ? line : JSON.stringify(line)
      for (const watch of fake.watches) watch.write(`${text}\n`)
    },
    put: (type: string, one: ReturnType<typeof slice>) => {
      fake.version += 1
      const metadata = { ...one.metadata, resourceVersion: String(fake.version) }
      fake.say({ type, object: { ...one, metadata } })
    },
    lists: () => fake.requests.filter((one) => !one.has('watch')).length,
    address: '',
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  const server = make((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://kubernetes')
    fake.requests.push(searchParams)
    fake.paths.add(pathname)
    fake.tokens.push(request.headers.authorization)
    response.on('error', () => undefined)
    if (searchParams.has('watch')) {
      if (fake.watch !== undefined) return fake.watch(response)
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
      fake.watches.add(response)
      response.on('close', () => fake.watches.delete(response))
      return
    }
    if (fake.list !== undefined) return fake.list(response)
    const from = Number(searchParams.get('continue') ?? 0)
    const next = from + fake.pageSize
    response.end(
      JSON.stringify({
        kind: 'EndpointSliceList',
        metadata: {
          resourceVersion: String(fake.version),
          ...(next < fake.slices.length && { continue: String(next) }),
        },
        items: fake.slices.slice(from, next),
      }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  fake.address = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  ends.push(fake.close)
  return fake
}

const folder = () => {
  const account = mkdtempSync(join(tmpdir(), 'serval-account-'))
  ends.push(() => rmSync(account, { recursive: true }))
  writeFileSync(join(account, 'namespace'), 'shop\n')
  writeFileSync(join(account, 'token'), 'token 1\n')
  return account
}

const watched = (server: string, account = folder(), env: Env = systemEnv()) => {
  const directory = kubernetesDirectory({
    env,
    contracts: ['a', 'b'],
    scheme: 'wire',
    at: '{contract}',
    server,
    account,
  })
  const { end, ...watching } = watchedDirectory(directory)
  ends.push(end)
  return watching
}

const setting = async () => {
  const fake = await fakeKubernetes()
  fake.slices = [slice('a-1', 'a', [{ address: '10.0.0.1', uid: 'one' }])]
  const watch = watched(`http://${fake.address}`)
  await watch.becomes('one@wire://10.0.0.1:7070=a+a$log')
  await eventually(() => fake.watches.size === 1, 'a watch')
  return { fake, ...watch }
}

test('who is ready serves its contracts; who is not, its logs alone; who ends, nothing', async () => {
  const fake = await fakeKubernetes()
  fake.slices = [
    slice('a-1', 'a', [
      { address: '10.0.0.1', uid: 'ready' },
      { address: '10.0.0.2', uid: 'starting', ready: false },
      { address: '10.0.0.3', uid: 'ending', ready: false, terminating: true },
      { address: 'not an address', uid: 'x' },
    ]),
    slice('a-6', 'a', [{ address: 'fd00::1', uid: 'ready' }], { addressType: 'IPv6' }),
    slice('b-1', 'b', [{ address: '10.0.0.1', uid: 'ready' }, { address: '10.0.0.4' }], {
      ports: [
        { name: 'http', port: 80 },
        { name: 'link', port: 7171 },
      ],
    }),
    slice('c-1', 'c', [{ address: '10.0.0.5', uid: 'another' }]),
    slice('b-2', 'b', [{ address: '10.0.0.6', uid: 'no port' }], { ports: null }),
    slice('b-3', 'b', [], { endpoints: null }),
  ]
  fake.pageSize = 2
  const { becomes, failed } = watched(`http://${fake.address}`)
  await becomes(
    'ready@wire://10.0.0.1:7070=a+a$log+b+b$log starting@wire://10.0.0.2:7070=a$log wire://10.0.0.4:7171@wire://10.0.0.4:7171=b+b$log',
  )
  expect(failed).toEqual([])
  expect([...fake.paths]).toEqual(['/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices'])
  expect(fake.requests[0]?.get('labelSelector')).toBe('kubernetes.io/service-name in (a,b)')
})

test('changes are watched from the version that is known, bookmarks move it, and the watch goes on from there', async () => {
  const { fake, becomes } = await setting()
  fake.put('ADDED', slice('b-1', 'b', [{ address: '10.0.0.2', uid: 'two', ready: false }]))
  await becomes('one@wire://10.0.0.1:7070=a+a$log two@wire://10.0.0.2:7070=b$log')
  fake.put('MODIFIED', slice('b-1', 'b', [{ address: '10.0.0.2', uid: 'two' }]))
  await becomes('one@wire://10.0.0.1:7070=a+a$log two@wire://10.0.0.2:7070=b+b$log')
  fake.put('DELETED', slice('a-1', 'a', []))
  await becomes('two@wire://10.0.0.2:7070=b+b$log')
  fake.say({
    type: 'BOOKMARK',
    object: { kind: 'EndpointSlice', metadata: { resourceVersion: '777' } },
  })
  for (const watch of fake.watches) watch.end()
  await eventually(() => fake.requests.at(-1)?.get('resourceVersion') === '777', 'the next watch')
  expect(Object.fromEntries(fake.requests.at(-1) ?? [])).toMatchObject({ watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: '290' }) // prettier-ignore
  // A connection that breaks is no reason to list anew either.
  const before = fake.requests.length
  await eventually(() => fake.watches.size === 1, 'a watch')
  for (const watch of fake.watches) watch.destroy()
  await eventually(() => fake.requests.length > before, 'the next watch')
  expect(fake.lists()).toBe(1)
})

const gone = {
  type: 'ERROR',
  object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
}
const forgettings: readonly (readonly [string, (fake: Awaited<ReturnType<typeof fakeKubernetes>>) => void])[] = [
  ['a status of 410', (fake) => {
    fake.watch = (response) => {
      fake.watch = undefined
      response.writeHead(410).end('{"code":410}')
    }
    for (const watch of fake.watches) watch.end()
  }],
  ['an event of 410', (fake) => fake.say(gone)],
  ['an event of another failure', (fake) => fake.say({ type: 'ERROR', object: { code: 500, message: 'etcd' } })],
  ['an event that cannot be read', (fake) => fake.say('{"type":')],
  ['an event without a version', (fake) => fake.say({ type: 'BOOKMARK', object: {} })],
] // prettier-ignore
test.each(forgettings)(
  '%s has all listed anew; what was known stays until then',
  async (_, happen) => {
    const { fake, told, becomes } = await setting()
    fake.slices = [slice('a-1', 'a', [{ address: '10.0.0.9', uid: 'nine' }])]
    fake.version = 500
    happen(fake)
    await becomes('nine@wire://10.0.0.9:7070=a+a$log')
    expect(told).toHaveLength(2)
    await eventually(() => fake.requests.at(-1)?.get('resourceVersion') === '500', 'the next watch')
  },
)

test('a list that breaks after its first page is listed anew', async () => {
  const { fake, told, becomes } = await setting()
  let pages = 0
  fake.slices = [slice('a-1', 'a', [{ address: '10.0.0.2', uid: 'two' }])]
  fake.list = (response) => {
    pages += 1
    if (pages % 2 === 0) {
      fake.list = undefined
      return void response.destroy()
    }
    response.end('{"metadata":{"resourceVersion":"500","continue":"1"},"items":[]}')
  }
  fake.say(gone)
  await becomes('two@wire://10.0.0.2:7070=a+a$log')
  expect(told).toHaveLength(2)
  expect(fake.requests.some((one) => one.get('resourceVersion') === '500')).toBe(false)
})

const endless = (response: ServerResponse) => {
  const more = () => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  }
  response.on('drain', more)
  more()
}
const lies: readonly (readonly [string, string, (response: ServerResponse) => void])[] = [
  ['something other than JSON', 'other than JSON', (response) => void response.end('<html>')],
  ['something other than a list', 'other than a list of slices', (response) => void response.end('{}')],
  ['a refusal', '403 endpointslices is forbidden', (response) => void response.writeHead(403).end('endpointslices is forbidden')],
  ['a list without end', 'more than 16777216 bytes', endless],
  ['a list of nobody', 'knows no host', (response) => void response.end('{"metadata":{"resourceVersion":"9"},"items":[]}')],
  ['a slice that cannot be read', 'a slice that cannot be read', (response) => void response.end('{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{}}]}')],
] // prettier-ignore
test.each(lies)('what was known stays when Kubernetes answers %s', async (_, why, answer) => {
  const { fake, told, failed } = await setting()
  fake.list = answer
  fake.say(gone)
  await eventually(() => failed.some((one) => one.includes(why)), `${why} (${failed.join()})`)
  expect(told).toHaveLength(1)
  fake.list = undefined
  fake.slices = [slice('a-1', 'a', [{ address: '10.0.0.2', uid: 'two' }])]
  await eventually(() => {
    if (told.length === 1) fake.say(gone)
    return told.at(-1) === 'two@wire://10.0.0.2:7070=a+a$log'
  }, 'the next list')
})

test('a list that does not come is waited for half a minute', async () => {
  const fake = await fakeKubernetes()
  fake.list = () => undefined
  const env = manualEnv()
  const { failed } = watched(`http://${fake.address}`, undefined, env)
  await eventually(() => fake.requests.length === 1, 'a list')
  await env.advance(30_000)
  await eventually(() => failed.length === 1, 'a failure')
  expect(failed[0]).toContain('no end within 30000 ms')
})

test('an event without end is given up, and what was known stays while Kubernetes is gone', async () => {
  const { fake, told, failed } = await setting()
  for (const watch of fake.watches) endless(watch)
  await eventually(() => failed.some((one) => one.includes('more than 4194304 bytes')), 'a failure')
  fake.close()
  await eventually(() => fake.watches.size === 0, 'the end of the watch')
  expect(told).toHaveLength(1)
})

const hasOpenssl = (() => {
  try {
    return execFileSync('openssl', ['version']).length > 0
  } catch {
    return false
  }
})()
const withOpenssl = hasOpenssl
  ? ([test, ''] as const)
  : ([test.skip, ' [skipped: openssl is not installed]'] as const)
const [tlsTest, reason] = withOpenssl

const certificate = (into: string) => {
  const paths = { key: join(into, 'key.pem'), cert: join(into, 'cert.pem') }
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=kubernetes', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', paths.key, '-out', paths.cert], { stdio: 'ignore' }) // prettier-ignore
  return paths
}

tlsTest(
  `the server is known by the account's CA, and the token is read anew${reason}`,
  async () => {
    const account = folder()
    const { key, cert } = certificate(account)
    cpSync(cert, join(account, 'ca.crt'))
    const read = (file: string) => execFileSync('cat', [file])
    const fake = await fakeKubernetes((handle) => createTlsServer({ key: read(key), cert: read(cert) }, handle)) // prettier-ignore
    fake.slices = [slice('a-1', 'a', [{ address: '10.0.0.1', uid: 'one' }])]
    const { becomes } = watched(`https://${fake.address}`, account)
    await becomes('one@wire://10.0.0.1:7070=a+a$log')
    await eventually(() => fake.watches.size === 1, 'a watch')
    writeFileSync(join(account, 'token'), 'token 2')
    for (const watch of fake.watches) watch.end()
    await eventually(() => fake.tokens.length === 3, 'the next watch')
    expect(fake.tokens).toEqual(['Bearer token 1', 'Bearer token 1', 'Bearer token 2'])
    // Another authority's server is told nothing, the token least of all.
    const stranger = folder()
    cpSync(certificate(stranger).cert, join(stranger, 'ca.crt'))
    const setting = 'NODE_TLS_REJECT_UNAUTHORIZED'
    const before = process.env[setting]
    process.env[setting] = '0'
    ends.push(() => {
      if (before === undefined) delete process.env[setting]
      else process.env[setting] = before
    })
    const { failed, told } = watched(`https://${fake.address}`, stranger)
    await eventually(() => failed.length + told.length > 0, 'the refusal')
    expect(failed[0]).toMatch(/certificate/i)
    expect(told).toEqual([])
    expect(fake.tokens).toHaveLength(3)
  },
)

test('a text that is wrong, and a process outside of a Pod, are refused with what is wrong', () => {
  const made =
    (at: string, server = 'https://10.0.0.1:443', account = folder()) =>
    () =>
      kubernetesDirectory({
        env: systemEnv(),
        contracts: ['a'],
        scheme: 'wire',
        at,
        server,
        account,
      })
  made('{contract}?namespace=other&port=http')()
  expect(made('')).toThrow('a name is made of')
  expect(made('a?ns=b')).toThrow('there is no option ns, but namespace, port')
  expect(made('a', 'https://:')).toThrow('this process is not in a Pod: KUBERNETES_SERVICE_HOST')
  expect(made('a', undefined, '/nowhere')).toThrow('namespace must be given')
})
