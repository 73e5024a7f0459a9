const setting = 'BUN_JSC_thresholdForFTLOptimizeAfterWarmUp'

/**
 * Has Bun's (1.4.5) slowest compiler wait ten times as long as by default for what it compiles. A fleet's young hosts spend a third of their
 * processor time on it, each on the same code; what runs often is still compiled. Node does not know the variable.
 */
export const lateCompiler = (
  given: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> => ({ [setting]: given[setting] ?? '1000000' })
