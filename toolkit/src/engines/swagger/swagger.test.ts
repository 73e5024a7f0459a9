import { expect, test } from 'vitest'
import type { HttpRequest } from '../../link/http.ts'
import { docsPages } from './index.ts'

const request = (target: string): HttpRequest => ({
  method: 'GET',
  target,
  header: () => undefined,
  remoteAddress: '127.0.0.1',
  signal: new AbortController().signal,
  body: () => Promise.resolve(new Uint8Array()),
})

const read = async (pages: ReturnType<typeof docsPages>, path: string) => {
  const page = pages[path]
  if (page === undefined) throw new Error(`no page at ${path}`)
  const { status, headers, body } = await page(request(path))
  expect(status).toBe(200)
  return { headers, text: new TextDecoder().decode(body as Uint8Array) }
}

/** What a page has the browser load. */
const loaded = (text: string) =>
  [...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address = '']) => address)

test('the reference loads what it shows and runs from its own address alone', async () => {
  const pages = docsPages({ title: 'The <shop>', document: '/openapi.json' })
  const { text, headers } = await read(pages, '/docs')
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  })
  expect(text).toContain('<title>The &#60;shop&#62;</title>')
  expect(text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=/)
  const addresses = loaded(text).filter((address) => address !== 'data:,')
  expect(addresses).toHaveLength(4)
  for (const address of addresses)
    expect([...Object.keys(pages), '/openapi.json']).toContain(address)
})

test('scripts and styles are the package’s, and may be kept for ever', async () => {
  const pages = docsPages()
  const [script, style] = ['js', 'css'].map((type) =>
    Object.keys(pages).find((path) =>
      path.endsWith(`swagger-ui${type === 'js' ? '-bundle' : ''}.${type}`),
    ),
  )
  expect(script).toMatch(/^\/docs\/\d+\.\d+\.\d+\/swagger-ui-bundle\.js$/)
  const bundle = await read(pages, script ?? '')
  expect(bundle.text).toContain('SwaggerUIBundle')
  expect(bundle.headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
  })
  const css = await read(pages, style ?? '')
  expect(css.headers['content-type']).toBe('text/css; charset=utf-8')
  // Nothing that a style would fetch.
  for (const [, address = ''] of css.text.matchAll(/url\(["']?([^"')]{0,10})/g))
    expect(address).toMatch(/^(data:|#)/)
  expect(css.text).not.toMatch(/@import/)
})

test('the document’s address can be another, and no token is kept', async () => {
  const pages = docsPages({ path: '/reference', document: '/v2/openapi.json' })
  const start = Object.keys(pages).find((path) => path.endsWith('/start.js')) ?? ''
  const { text } = await read(pages, start)
  const settings = /^SwaggerUIBundle\((\{.*\})\)$/m.exec(text)?.[1] ?? ''
  expect(JSON.parse(settings)).toMatchObject({
    url: '/v2/openapi.json',
    validatorUrl: null,
    persistAuthorization: false,
  })
  expect(Object.keys(pages).every((path) => path.startsWith('/reference'))).toBe(true)
})

test('a body is the same bytes each time, so that it is compressed once', async () => {
  const pages = docsPages()
  const page = pages['/docs']
  const first = await page?.(request('/docs'))
  expect((await page?.(request('/docs')))?.body).toBe(first?.body)
})
