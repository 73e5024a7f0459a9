import { expect, test } from 'vitest'
import type { HttpRequest } from '../link/http.ts'
import { bearsOperatorKey } from './identify.ts'

const request = (key?: string): HttpRequest => ({
  method: 'GET',
  target: '/',
  header: (name) => (name === 'x-serval-operator' ? key : undefined),
  remoteAddress: '127.0.0.1',
  signal: new AbortController().signal,
  body: () => Promise.resolve(new Uint8Array()),
})

test('a request bears the operator’s key, and no other, no part and no absence of it', () => {
  const bears = bearsOperatorKey('right-key')
  expect(bears(request('right-key'))).toBe(true)
  for (const other of ['wrong-key', 'right-ke', 'right-key ', 'right-keyright-key', '', undefined])
    expect(bears(request(other)), String(other)).toBe(false)
  expect(bearsOperatorKey('')(request())).toBe(false)
})
