import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { madeUpPlan } from './made-up-plan.ts'
import { runKills } from './run.ts'

test('a shop that is killed again and again loses, doubles and overcharges nothing', async () => {
  const data = await mkdtemp(join(tmpdir(), 'serval-kill-'))
  try {
    const report = await runKills({
      setup: 'kitten',
      data,
      plan: madeUpPlan(120),
      kills: 4,
      clients: 6,
      random: Math.random,
      tell: () => undefined,
    })
    expect(report.findings.filter((finding) => !finding.ok)).toEqual([])
    expect(report.kills.map((kill) => kill.inFlight > 0 || kill.unfinished > 0)).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(report.errors).not.toMatch(/"level":"error"/)
  } finally {
    await rm(data, { recursive: true, force: true })
  }
}, 120_000)
