import { describe, expect, it } from 'vitest'
// @ts-expect-error: a script in plain JavaScript
import { count, readJunit, readVitest, withSilentFiles } from './test-results.mjs'

const reason = '[skipped: PostgreSQL is not installed]'

describe('the report of vitest', () => {
  const file = (assertionResults: object[], status = 'passed') =>
    JSON.stringify({
      testResults: [{ name: '/repo/a.test.ts', status, message: 'it broke', assertionResults }],
    })
  const test = (title: string, status: string, suite = 'suite') => ({
    ancestorTitles: [suite],
    title,
    status,
  })

  it('is read test by test', () => {
    const text = file([test('one', 'passed'), test('two', 'failed'), test(reason, 'skipped')])
    expect(readVitest(text, '/repo')).toEqual([
      { file: 'a.test.ts', name: 'suite > one', outcome: 'passed' },
      { file: 'a.test.ts', name: 'suite > two', outcome: 'failed' },
      expect.objectContaining({ outcome: 'skipped', reason: 'PostgreSQL is not installed' }),
    ])
  })

  it('finds the reason in a suite around the test', () => {
    const text = file([test('one', 'skipped', `postgres: store ${reason}`)])
    expect(count(readVitest(text, '/repo'))).toEqual({ passed: 0, failed: 0, skipped: 1 })
  })

  it.each(['skipped', 'pending', 'todo'])('takes %s without a reason for a failure', (status) => {
    expect(count(readVitest(file([test('one', status)]), '/repo')).failed).toBe(1)
  })

  it('counts a file that failed outside its tests', () => {
    expect(count(readVitest(file([test('one', 'passed')], 'failed'), '/repo'))).toEqual({
      passed: 1,
      failed: 1,
      skipped: 0,
    })
  })
})

describe('the report of bun test', () => {
  const junit = (...cases: string[]) => `<testsuites>${cases.join('\n')}</testsuites>`
  const at = 'file="a.test.ts" line="1"'

  it('is read test by test', () => {
    const text = junit(
      `<testcase name="a &lt; b &amp; c&#10;d" classname="inner &gt; outer" time="0" ${at} />`,
      `<testcase name="two" classname="" ${at}>\n<failure type="Error" message="x">x</failure>\n</testcase>`,
      `<testcase name="three" classname="inner &gt; store ${reason}" ${at}><skipped /></testcase>`,
      `<testcase name="four" classname="" ${at}><skipped message="TODO" /></testcase>`,
    )
    expect(readJunit(text, '/repo')).toEqual([
      { file: 'a.test.ts', name: 'outer > inner > a < b & c\nd', outcome: 'passed' },
      { file: 'a.test.ts', name: 'two', outcome: 'failed' },
      expect.objectContaining({ outcome: 'skipped', reason: 'PostgreSQL is not installed' }),
      expect.objectContaining({ outcome: 'failed' }),
    ])
  })
})

describe('a file that reports nothing', () => {
  it('has failed', () => {
    const results = [{ file: 'a.test.ts', name: 'one', outcome: 'passed' }]
    expect(count(withSilentFiles(results, ['a.test.ts', 'b.test.ts']))).toEqual({
      passed: 1,
      failed: 1,
      skipped: 0,
    })
  })
})
