import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { failure } from '../../base/failure.ts'
import type { Page } from '../../edge/index.ts'

export interface DocsOptions {
  /** What the pages are called in the browser’s bar; default `API reference`. */
  readonly title?: string
  /** Where the reference is; default `/docs`. */
  readonly path?: string
  /** The OpenAPI document that it shows; default `/openapi.json`. */
  readonly document?: string
}

/** Nothing comes from elsewhere, and no script or style stands in the page itself. */
const policy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:"],
  ...["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ')

const types = { js: 'text/javascript', css: 'text/css', html: 'text/html' } as const

const html = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const pageText = (title: string, assets: string, document: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${html(assets)}/swagger-ui.css">
<script src="${html(assets)}/swagger-ui-bundle.js" defer></script>
<script src="${html(assets)}/start.js" defer></script>
</head>
<body>
<div id="reference"></div>
<noscript>This page needs scripts; <a href="${html(document)}">the document itself</a> does not.</noscript>
</body>
</html>
`

/** The validator's badge would have another server fetch the document; tokens are not kept when the page is closed. */
const startText = (document: string): string => `SwaggerUIBundle(${JSON.stringify({
  url: document,
  dom_id: '#reference',
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
})})
if (matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.add('dark-mode')
`

const packageName = 'swagger-ui-dist'

/** A page that is read when it is first asked for. */
const page = (type: keyof typeof types, caching: string, load: () => Promise<Uint8Array>): Page => {
  const headers = {
    'content-type': `${types[type]}; charset=utf-8`,
    'cache-control': caching,
    'content-security-policy': policy,
    'cross-origin-opener-policy': 'same-origin',
  }
  let loaded: Promise<Uint8Array> | undefined
  return async () => {
    loaded ??= load()
    const body = await loaded.catch((error: unknown) => {
      loaded = undefined
      throw error
    })
    return { status: 200, headers, body }
  }
}

/**
 * Pages with the reference of an OpenAPI document by Swagger UI, for an edge's `pages`. They work without the internet: all
 * that the browser loads is in the npm package. Its version is in the addresses of scripts and styles, so that they may be
 * kept for ever.
 */
export const docsPages = (options: DocsOptions = {}): Readonly<Record<string, Page>> => {
  const { title = 'API reference', path = '/docs', document = '/openapi.json' } = options
  const { resolve } = createRequire(import.meta.url)
  let version: unknown
  try {
    const about: { readonly version?: unknown } = JSON.parse(
      readFileSync(resolve(`${packageName}/package.json`), 'utf8'),
    )
    version = about.version
  } catch (cause) {
    throw failure('cannot-start', `The reference at ${path} needs the npm package ${packageName}`, {
      cause,
    })
  }
  const assets = `${path}/${String(version)}`
  const asset = (name: string, type: 'js' | 'css') =>
    page(type, 'public, max-age=31536000, immutable', () =>
      readFile(resolve(`${packageName}/${name}`)),
    )
  const text = (type: keyof typeof types, content: string) =>
    page(type, 'no-cache', () => Promise.resolve(new TextEncoder().encode(content)))
  return {
    [path]: text('html', pageText(title, assets, document)),
    [`${assets}/start.js`]: text('js', startText(document)),
    [`${assets}/swagger-ui.css`]: asset('swagger-ui.css', 'css'),
    [`${assets}/swagger-ui-bundle.js`]: asset('swagger-ui-bundle.js', 'js'),
  }
}
