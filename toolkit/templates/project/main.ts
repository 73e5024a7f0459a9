import { run } from 'serval/host'

await run({
  setups: { kitten: () => import('./setups/kitten.ts') },
  defaultSetup: 'kitten',
  helpNotes: ['Without options: port 8080, operator’s port 8081, the folder data, log level warn.'],
  banner: ({ setupName, edge, tookMs }) => {
    const address = `http://${edge.public.host}:${edge.public.port}`
    const operator = `http://${edge.operator.host}:${edge.operator.port}`
    return [
      '',
      `  Ready (${setupName}, ${(tookMs / 1_000).toFixed(1)} s). Ctrl+C stops it.`,
      '',
      `  Public     ${address}`,
      `             curl ${address}/api/v1/tasks`,
      `  Reference  ${address}/openapi.json`,
      `  Operator   ${operator}`,
      `             header  x-serval-operator: ${edge.operatorKey}`,
      '',
      '',
    ].join('\n')
  },
})
