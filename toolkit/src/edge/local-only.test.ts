import { expect, test } from 'vitest'
import { edgeUnderTest, request } from './sample.suite.ts'
import { localOnly, operatorKey } from './index.ts'

const hosts = ['127.0.0.1', 'localhost', '[::1]', 'Ops.Example']
const { ask } = edgeUnderTest({
  before: [localOnly(hosts)],
  pages: { '/health/live': () => Promise.resolve({ status: 200, headers: {} }) },
})
const status = async (headers: Record<string, string>, target = '/things') =>
  (await ask({ target, headers })).status

test('the operator’s address answers under its own names only', async () => {
  for (const host of [
    '127.0.0.1:8081',
    'localhost',
    'LocalHost:1',
    '[::1]:8081',
    '[::1]',
    'ops.example:8081',
  ])
    expect([host, await status({ host })]).toEqual([host, 200])
  for (const host of [
    '(none)',
    '',
    'evil.example',
    'evil.example:8081',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    'localhost:8081:80',
    '127.0.0.1:x',
    '::1',
    '0',
    '127.1',
  ])
    expect([host, await status({ host })]).toEqual([host, 421])
  expect(await status({ host: 'evil.example' }, '/health/live')).toBe(421)
})

test('pages of other origins are refused, those of the same machine’s other ports too', async () => {
  const host = '127.0.0.1:8081'
  for (const origin of ['http://127.0.0.1:8081', 'https://127.0.0.1:8081', '(none)'])
    expect([origin, await status({ host, origin })]).toEqual([origin, 200])
  for (const origin of [
    'null',
    '',
    'http://evil.example',
    'http://127.0.0.1:3000',
    'http://localhost:8081',
    'http://127.0.0.1:8081.evil.example',
    'http://evil.example/127.0.0.1:8081',
    'file://',
  ])
    expect([origin, await status({ host, origin })]).toEqual([origin, 421])
})

test('the operator is known by the key alone', async () => {
  const identify = operatorKey('0123456789abcdef')
  const by = (key: string) =>
    identify(request({ target: '/', headers: { 'x-serval-operator': key } }))
  expect(await by('0123456789abcdef')).toEqual({ kind: 'operator' })
  expect(await by('(none)')).toBeUndefined()
  for (const wrong of [
    '',
    '0123456789abcde',
    '0123456789abcdef0',
    '0123456789abcdeg',
    '0123456789abcdef0123456789abcdef',
    '\0',
  ])
    await expect(by(wrong)).rejects.toMatchObject({ code: 'unauthenticated' })
})
