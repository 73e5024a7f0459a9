/** What both sides do when they are called: little, so that the call is what is measured. */

export interface Input {
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
}

export const totalOf = ({ lines }: Input) => {
  let units = 0
  let total = 0
  for (const { sku, quantity } of lines) {
    units += quantity
    total += quantity * (100 + sku.length)
  }
  return { units, total }
}

/** Inputs of one to three lines, in turn. */
export const inputs: readonly Input[] = Array.from({ length: 96 }, (_, n) => ({
  lines: Array.from({ length: 1 + (n % 3) }, (__, k) => ({
    sku: `BENCH-${n}-${k}`,
    quantity: 1 + k,
  })),
}))

export type Quote = (input: Input) => Promise<{ readonly units: number; readonly total: number }>
