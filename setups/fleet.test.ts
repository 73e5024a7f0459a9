import { settingsFrom } from 'serval/host'
import { expect, test } from 'vitest'
import { fleetOf } from './fleet.ts'

const made = (given: Record<string, string>) => fleetOf(settingsFrom(given), {})
const directory = (SERVAL_DIRECTORY: string) => made({ SERVAL_DIRECTORY }).directory

test('the form of SERVAL_DIRECTORY says which directory it is', () => {
  expect(directory('')).toBeUndefined()
  expect(directory('http://127.0.0.1:4000')).toBeDefined()
  expect(directory('dns:{contract}.shop.internal:7070')).toBeDefined()
  expect(directory('dns:_link._tcp.shop.internal?every=10')).toBeDefined()
  expect(directory('consul:http://127.0.0.1:8500?service=shop')).toBeDefined()
  const told: string[] = []
  directory('static:all=wire://10.0.0.7:7070')?.watch((peers) =>
    told.push(...peers.flatMap(({ contracts }) => contracts)),
  )
  expect(told).toContain('orders')
  expect(told).toContain('acquirer$log')
})

test('a directory that cannot be is refused with what is wrong', () => {
  for (const wrong of ['127.0.0.1:4000', 'etcd:http://a', 'nothing'])
    expect(() => directory(wrong)).toThrow(
      'SERVAL_DIRECTORY must be one of http:…, static:…, dns:…, consul:…, kubernetes:…; it is',
    )
  expect(() => directory('static:order=wire://a:1')).toThrow(
    'SERVAL_DIRECTORY (static): there is no contract order, but accounts',
  )
  expect(() => directory('kubernetes:shop?namespace=shop')).toThrow('KUBERNETES_SERVICE_HOST')
  const inCluster = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }
  const SERVAL_DIRECTORY = 'kubernetes:shop?namespace=shop'
  expect(made({ ...inCluster, SERVAL_DIRECTORY }).directory).toBeDefined()
})

test('a host says whether it is ready where it is told to', () => {
  expect(made({}).health).toBeUndefined()
  expect(made({ SERVAL_LINK_HOST: '0.0.0.0', SERVAL_HEALTH_PORT: '7071' }).health).toMatchObject({
    host: '0.0.0.0',
    port: 7071,
  })
})

test('certificates encrypt the links; what cannot be used is told at the start', () => {
  expect(() => made({ SERVAL_LINK_CERT: '/a/host.pem' })).toThrow(
    'SERVAL_LINK_CERT, SERVAL_LINK_KEY, SERVAL_LINK_CA: set all three, or none',
  )
  const files = { SERVAL_LINK_CERT: '/no/host.pem', SERVAL_LINK_KEY: '/no/key.pem', SERVAL_LINK_CA: '/no/ca.pem' } // prettier-ignore
  expect(() => made(files)).toThrow('SERVAL_LINK_CERT (/no/host.pem): the file cannot be read')
})
