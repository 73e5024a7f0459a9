import type { Started } from 'serval/host'
import { demoAccounts, demoPassword } from './demo-accounts.ts'

/** What a person reads when the shop is ready: where it is, who can sign in, what to do next. */
export const banner = ({ setupName, setup, edge, tookMs }: Started): string => {
  const address = `http://${edge.public.host}:${edge.public.port}`
  const operator = `http://${edge.operator.host}:${edge.operator.port}`
  const elsewhere = edge.public.port === 8080 ? '' : ` -- --address ${address}`
  const rows: (readonly [string, string])[] = [
    ['Shop', address],
    ['', `curl '${address}/api/v1/products?q=mug'`],
    ['Reference', `${address}/docs`],
    ['Operator', operator],
    ['', `header  x-serval-operator: ${edge.operatorKey}`],
    ['Stores', setup.stores.name],
    ...(setup.development
      ? ([
          ['Accounts', demoAccounts.map(({ email }) => email).join(', ')],
          ['', `password  ${demoPassword}`],
        ] as const)
      : []),
    ['Next', `in another terminal, a customer’s day:  npm run demo${elsewhere}`],
    ['', 'what to read and try:  README.md'],
  ]
  return [
    '',
    `  The shop is ready (${setupName}, ${(tookMs / 1_000).toFixed(1)} s). Ctrl+C stops it.`,
    '',
    ...rows.map(([name, text]) => `  ${name.padEnd(11)}${text}`),
    '',
    '',
  ].join('\n')
}
