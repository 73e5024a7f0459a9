import { expect, test } from 'vitest'
import type { Results } from '../samples.ts'
import { comparisons } from '../statistics.ts'
import { markdown } from './markdown.ts'
import { plot } from './plot.ts'
import { table } from './table.ts'

const rounds = [1, 2, 3]
const results: Results = {
  at: '2026-01-02T03:04:05.000Z',
  commit: 'abc1234',
  machine: { processor: 'A <fast> one', cores: '2' },
  versions: { node: '24.0.0', bun: '1.0.0' },
  postgres: { version: '15.1', fsync: 'on' },
  options: { seconds: 3, rounds: 3, connections: 64 },
  contenders: [
    { id: 'shop', name: 'shop on something', side: 'ours' },
    { id: 'embedded', name: 'shop, embedded', side: 'ours', apart: true },
    { id: 'monolith', name: 'monolith on <something>', side: 'theirs' },
  ],
  samples: rounds.flatMap((round) => [
    { measure: 'orders.accepted', contender: 'shop', round, value: 6_000 + round },
    { measure: 'orders.accepted', contender: 'embedded', round, value: 900 },
    { measure: 'orders.accepted', contender: 'monolith', round, value: 1_500 },
    { measure: 'orders.cpu', contender: 'shop', round, value: 2 },
    { measure: 'orders.cpu', contender: 'monolith', round, value: 1 },
  ]),
  rounds: [
    { usage: { server: 2, postgres: 1, machine: 4, seconds: 3 }, driverCpu: 0.4 },
    { calls: 7 },
  ],
}

test('the table names everybody, the ratio, and whether the goal is reached', () => {
  const text = table(comparisons(results.contenders, results.samples))
  expect(text).toContain('Orders accepted')
  expect(text).toMatch(/shop +6,002 \/s \(6,001–6,003\) +4\.00 × \(4\.00–4\.00\) {2}✓ goal 3 ×/)
  expect(text).toMatch(/embedded +900 \/s \(900–900\)$/m)
  expect(text).toMatch(/monolith +1,500 \/s .*← compared with/)
  expect(text).toMatch(/shop +2\.000 CPU-s .* 0\.50 ×/)
})

test('the page says when, where and with which versions', () => {
  const text = markdown(results)
  for (const part of ['abc1234', 'node 24.0.0', 'fsync on', '✓ 3 ×', '`embedded` | shop, embedded'])
    expect(text).toContain(part)
  expect(text).toContain('10 % were used by others in the median round')
  expect(text).not.toContain('undefined')
  expect(text).not.toContain('NaN')
})

test('the plot has a bar for each ratio and escapes names', () => {
  const text = plot(results)
  expect(text.match(/<rect /g)).toHaveLength(3)
  expect(text).toContain('class="met"')
  expect(text).not.toMatch(/NaN|undefined/)
  // Every element is closed.
  const opened = text.match(/<(text|tspan|rect|title|svg|style)(\s[^>]*)?(?<!\/)>/g) ?? []
  const closed = text.match(/<\/(text|tspan|rect|title|svg|style)>/g) ?? []
  expect(opened).toHaveLength(closed.length)
})
