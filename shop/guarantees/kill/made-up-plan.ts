import type { Plan } from '../../replay/plan.ts'

/** A small plan of orders that share products, for tests. */
export const madeUpPlan = (orders: number): Plan => {
  const customers = Array.from({ length: 6 }, (_, n) => ({
    email: `kill-${n}@example.org`,
    name: `Customer ${n}`,
  }))
  const prices = Array.from({ length: 12 }, (_, n) => 100 + 37 * n)
  const planned = Array.from({ length: orders }, (_, n) => {
    const lines = [0, 1, 2].map((line) => ({
      sku: `KILL ${(n * 5 + line * 7) % prices.length}`,
      quantity: 1 + ((n + line) % 3),
    }))
    const total = lines.reduce(
      (sum, line) => sum + line.quantity * (prices[Number(line.sku.slice(5))] ?? 0),
      0,
    )
    return {
      invoice: `made-up-${n}`,
      at: n,
      customer: customers[n % customers.length] ?? { email: '', name: '' },
      lines,
      totalMinor: total,
    }
  })
  const products = prices.map((priceMinor, n) => {
    const sku = `KILL ${n}`
    const quantity = planned
      .flatMap((order) => order.lines)
      .reduce((sum, line) => sum + (line.sku === sku ? line.quantity : 0), 0)
    return { sku, name: `Product ${n}`, priceMinor, quantity }
  })
  return {
    orders: planned,
    products,
    customers,
    lines: orders * 3,
    file: { rows: orders * 3, orders, lines: orders * 3, leftOut: 0 },
  }
}
