import { describe, expect, it } from 'vitest'
// @ts-expect-error: a script in plain JavaScript
import { inspect } from './floors.mjs'

function problemsOf(files: Record<string, string>): string[] {
  return inspect(Object.entries(files).map(([path, text]) => ({ path, text }))).problems
}

/** Each source breaks the rule in its last line; the same line at the place given is fine. */
const rules: Record<string, { breaks: [string, string]; keeps: [string, string] }> = {
  'a folder imports only those before it': {
    breaks: ['toolkit/src/guard/a.ts', `import { x } from '../store/x.ts'`],
    keeps: ['toolkit/src/events/a.ts', `import { x } from '../store/x.ts'`],
  },
  'a type is an import too': {
    breaks: ['toolkit/src/base/a.ts', `export type { X } from '../contract/x.ts'`],
    keeps: ['toolkit/src/base/a.test.ts', `export type { X } from '../contract/x.ts'`],
  },
  'an unknown folder is no floor': {
    breaks: ['toolkit/src/utils/a.ts', ''],
    keeps: ['toolkit/src/guard/a.ts', ''],
  },
  'the toolkit stays inside its folder': {
    breaks: ['toolkit/src/testing/a.ts', `import { x } from '../../../shop/x.ts'`],
    keeps: ['toolkit/src/testing/a.test.ts', `import { x } from '../../../shop/x.ts'`],
  },
  'inside the toolkit imports go by path': {
    breaks: ['toolkit/src/host/a.ts', `import { x } from 'serval/edge'`],
    keeps: ['toolkit/src/host/a.ts', `import { x } from '../edge/index.ts'`],
  },
  'engines are imported by no floor, not even lazily': {
    breaks: ['toolkit/src/simulate/a.ts', `const x = await import('../engines/pglite/index.ts')`],
    keeps: ['toolkit/src/testing/a.ts', `const x = await import('../engines/pglite/index.ts')`],
  },
  'an engine imports no other engine': {
    breaks: ['toolkit/src/engines/postgres/a.ts', `import { x } from '../pglite/x.ts'`],
    keeps: ['toolkit/src/engines/postgres/a.ts', `import { x } from '../sql/x.ts'`],
  },
  'the core knows no Node': {
    breaks: ['toolkit/src/edge/a.ts', `import { x } from 'node:fs'`],
    keeps: ['toolkit/src/host/a.ts', `import { x } from 'node:fs'`],
  },
  'of the core base/ alone hashes and seals': {
    breaks: ['toolkit/src/service/a.ts', `import { hash } from 'node:crypto'`],
    keeps: ['toolkit/src/base/a.ts', `import { hash } from 'node:crypto'`],
  },
  'base/ knows nothing else of Node': {
    breaks: ['toolkit/src/base/a.ts', `import { x } from 'node:net'`],
    keeps: ['toolkit/src/engines/a/a.ts', `import { x } from 'node:net'`],
  },
  'the core knows no package': {
    breaks: ['toolkit/src/base/a.ts', `import { x } from 'jose'`],
    keeps: ['toolkit/src/base/a.ts', `import { x } from 'zod/mini'`],
  },
  'a service imports of another its contract alone': {
    breaks: ['shop/orders/a.ts', `import { x } from '../catalog/repository.ts'`],
    keeps: ['shop/orders/a.ts', `import { x } from '../catalog/contract.ts'`],
  },
  'the shop imports the toolkit by name': {
    breaks: ['shop/orders/a.ts', `import { x } from '../../toolkit/src/edge/index.ts'`],
    keeps: ['shop/orders/a.ts', `import { x } from 'serval/edge'`],
  },
  'services know no engine': {
    breaks: ['shop/orders/a.ts', `const x = await import('serval/engines/postgres')`],
    keeps: ['setups/tiger.ts', `const x = await import('serval/engines/postgres')`],
  },
  'a setup has no if': {
    breaks: ['setups/kitten.ts', `if (process.env.X) start()`],
    keeps: ['shop/main.ts', `if (process.env.X) start()`],
  },
  'a setup is short': {
    breaks: ['setups/kitten.ts', 'start()\n'.repeat(61)],
    keeps: ['setups/kitten.ts', 'start()\n'.repeat(60)],
  },
  'a file parses': {
    breaks: ['shop/main.ts', 'const ='],
    keeps: ['shop/main.ts', 'const x = 1'],
  },
}

const services = { 'shop/orders/contract.ts': '', 'shop/catalog/contract.ts': '' }

describe('floors', () => {
  for (const [name, { breaks, keeps }] of Object.entries(rules)) {
    it(name, () => {
      expect(problemsOf({ ...services, [breaks[0]]: breaks[1] })).toHaveLength(1)
      expect(problemsOf({ ...services, [keeps[0]]: keeps[1] })).toEqual([])
    })
  }

  it.each([
    'setTimeout(() => {}, 1)',
    'globalThis.setInterval(() => {}, 1)',
    'const timers = { setTimeout }',
    'AbortSignal.timeout(1)',
    'Date.now()',
    'new Date()',
    'performance.now()',
    'const random = Math.random',
    'crypto.getRandomValues(bytes)',
    'globalThis.crypto.randomUUID()',
  ])('the core takes it from env: %s', (text) => {
    expect(problemsOf({ 'toolkit/src/jobs/a.ts': text })).toHaveLength(1)
    expect(problemsOf({ 'toolkit/src/base/a.ts': text })).toEqual([])
    expect(problemsOf({ 'toolkit/src/host/a.ts': text })).toEqual([])
    expect(problemsOf({ 'toolkit/src/jobs/a.test.ts': text })).toEqual([])
  })

  it('lets the core say what is not ambient', () => {
    const text = `env.setTimeout(1); new Date(ms); Date.parse(text); interface X { setTimeout: 1 }
      // setTimeout() and 'Date.now()' in prose
      const text = 'Date.now()'`
    expect(problemsOf({ 'toolkit/src/jobs/a.ts': text })).toEqual([])
  })

  it('draws folders, engines and services, without tests', () => {
    const files = {
      ...services,
      'shop/orders/service.ts': `import 'serval'; import 'serval/host'; import '../catalog/contract.ts'`,
      'toolkit/src/store/a.ts': `import '../base/a.ts'; import type { B } from '../contract/b.ts'`,
      'toolkit/src/base/a.test.ts': `import '../host/a.ts'`,
      'toolkit/src/engines/pglite/a.ts': `import '../sql/a.ts'; import '../../store/a.ts'`,
    }
    const { graph } = inspect(Object.entries(files).map(([path, text]) => ({ path, text })))
    expect(graph.split('\n')).toEqual([
      'shop/catalog →',
      'shop/orders → serval, serval/host, shop/catalog',
      'toolkit/engines/pglite → toolkit/engines/sql, toolkit/store',
      'toolkit/store → toolkit/base, toolkit/contract',
      '',
    ])
  })

  it('counts what overrules the type checker and the linter', () => {
    const text = `import { a as b } from './b.ts'
      // oxlint-disable-next-line no-console
      const x = (b as unknown as any)!.y, z = [1] as const, any = 'as any!' satisfies string`
    const files = [
      { path: 'shop/a.ts', text },
      { path: 'shop/a.test.ts', text },
    ]
    expect(inspect(files).counts).toEqual({ any: 1, nonNull: 1, casts: 2, disabled: 1 })
  })
})
