import { expect, test } from 'vitest'
import { progressOn } from './progress.ts'

test('elsewhere than on a terminal, a line is written now and then', () => {
  let now = 0
  const lines: string[] = []
  const write = (text: string) => lines.push(text) > 0
  const progress = progressOn({ stream: { isTTY: false, write }, clock: () => now })
  const phase = progress.phase('orders', 12_000)
  for (let at = 0; at < 12; at++) {
    now += 1_000
    phase.done(1_000)
  }
  phase.end('placed')
  progress.close()
  expect(lines).toEqual([
    '  orders           5,000 of 12,000\n',
    '  orders           10,000 of 12,000\n',
    '  orders              12,000    12.0 s  placed\n',
  ])
})
