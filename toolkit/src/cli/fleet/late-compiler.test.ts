import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { lateCompiler } from './late-compiler.ts'

test('hosts compile late, unless a person says when', () => {
  const name = 'BUN_JSC_thresholdForFTLOptimizeAfterWarmUp'
  expect(lateCompiler({})).toEqual({ [name]: '1000000' })
  expect(lateCompiler({ [name]: '5' })).toEqual({ [name]: '5' })
})

test('this runtime starts with it and says nothing', () => {
  const env = { ...process.env, ...lateCompiler({}) }
  const said = execFileSync(process.execPath, ['-e', 'console.log(1)'], { env, stdio: 'pipe' })
  expect(String(said)).toBe('1\n')
})
