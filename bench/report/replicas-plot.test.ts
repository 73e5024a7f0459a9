import { expect, test } from 'vitest'
import type { MeasureId, Results } from '../samples.ts'
import { replicasPlot } from './replicas-plot.ts'

const ids = ['cheetah-1', 'cheetah-2', 'cheetah-3', 'tiger-1', 'tiger-2', 'tiger-3']
const ofAll: readonly MeasureId[] = [
  'replicas.accepted',
  'replicas.p50',
  'replicas.p99',
  'replicas.cpu',
]
const results: Results = {
  at: '2026-01-02T03:04:05.000Z',
  commit: 'abc1234',
  machine: { cores: '2' },
  versions: {},
  postgres: {},
  options: {},
  contenders: ids.map((id) => ({ id, name: id, side: 'ours', apart: true })),
  samples: ids.flatMap((contender, n) =>
    ofAll.map((measure) => ({ measure, contender, round: 1, value: 100 + n })),
  ),
  rounds: [],
}

test('each fleet has a line in each panel, with a point for each number of copies', () => {
  const text = replicasPlot(results) ?? ''
  expect(text.match(/<polyline /g)).toHaveLength(2 * ofAll.length)
  expect(text.match(/class="small">/g)).toHaveLength(ids.length * ofAll.length)
  expect(text).not.toMatch(/NaN|undefined|Infinity/)
})

test('one fleet of one size is a point', () => {
  const one = { ...results, contenders: results.contenders.slice(0, 1) }
  const text = replicasPlot(one) ?? ''
  expect(text.match(/<polyline /g)).toHaveLength(ofAll.length)
  expect(text).not.toMatch(/NaN|undefined|Infinity/)
})

test('a run that did not measure copies has no such plot', () => {
  expect(replicasPlot({ ...results, samples: [] })).toBeUndefined()
})
